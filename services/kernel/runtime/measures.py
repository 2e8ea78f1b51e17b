"""What a worker counts about itself, for `/metrics`; `deploy/observability/METRICS.md` says what each measure means."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from services.kernel.ledger import Figure

FIGURES = {
    "dead_letters": ("Dead letters that wait for a person, by the worker that gave them up", "worker"),
    "dead_letters_impact": ("Dead letters, handed out or not, by what waits for them in law", "impact"),
    "runs_stopped": ("Runs over dead letters that have stopped and wait for a person", "kind"),
    "gate_waiting": ("Lapsed notices that the gate lets wait, by reason; one notice may have several", "reason"),
    "retention_kept": ("Notices whose content is kept for a reason beside its period; one may have several", "reason"),
    "sanctions_last_hour": ("Sanctions that fired within the last hour of legal time", "kind"),
    "silence_seconds": ("Seconds since something that ought to speak last did: the inbox, a timed mark", "what"),
    "stopped": ("1 while a brake is on: that of all mail, or that of a kind of sanction", "what"),
}
"""What `relay` reads from the database: name (after `duly_`), meaning, label."""


class Measures:
    """One process's measures, in a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._items = Counter("duly_items", "Items whose batch was committed", ["worker"], registry=self.registry)
        self._pauses = Counter("duly_pauses", "Pauses because a neighbour was away", ["worker"], registry=self.registry)
        self._batches = Histogram(
            "duly_batch_seconds",
            "Seconds from a batch's first statement to its commit",
            ["worker"],
            registry=self.registry,
        )

        self._waiting = Gauge("duly_waiting", "How much of each kind of work waits", ["what"], registry=self.registry)
        self._oldest = Gauge(
            "duly_oldest_seconds", "Seconds that the oldest of each kind has waited", ["what"], registry=self.registry
        )
        self._erased = Counter(
            "duly_erased", "Pieces of content that were erased as the retention rules say", ["kind"],
            registry=self.registry,
        )  # fmt: skip
        self._callers = Counter(
            "duly_door_calls", "What came to a door, by what became of it", ["door", "outcome"], registry=self.registry
        )
        self._figures = {
            name: Gauge(f"duly_{name}", meaning, [label], registry=self.registry)
            for name, (meaning, label) in FIGURES.items()
        }
        self._measured = Gauge(
            "duly_measured_timestamp_seconds",
            "When the figures of the database were last read, in Unix seconds",
            ["worker"],
            registry=self.registry,
        )
        self._started = Gauge(
            "duly_worker_started_timestamp_seconds",
            "When this process began, in Unix seconds",
            ["worker"],
            registry=self.registry,
        )

    def started(self, worker: str) -> None:
        """This process is that worker's."""
        self._started.labels(worker).set(time.time())

    def expect(self, door: str, outcomes: Iterable[str]) -> None:
        """Tell of a door's outcomes before there are any: else the first of a kind is no increase to Prometheus."""
        for outcome in outcomes:
            self._callers.labels(door, outcome)

    def came(self, door: str, outcome: str) -> None:
        """Somebody came to a door; the names are from small sets of ours, never what was brought."""
        self._callers.labels(door, outcome).inc()

    def waits(self, what: str, number: int, seconds: float) -> None:
        """How much of one kind of work waits, and for how long the oldest has."""
        self._waiting.labels(what).set(number)
        self._oldest.labels(what).set(seconds)

    def stand(self, worker: str, figures: Iterable[Figure]) -> None:
        """What the database says at this moment; whatever it does not name any more is forgotten."""
        for gauge in self._figures.values():
            gauge.clear()
        for each in figures:
            self._figures[each.name].labels(each.of).set(each.value)
        self._measured.labels(worker).set(time.time())

    @contextmanager
    def batch(self, worker: str, items: int) -> Iterator[None]:
        """Time one batch; its items count when it ends well."""
        with self._batches.labels(worker).time():
            yield
        self._items.labels(worker).inc(items)

    def erased(self, kind: str, number: int) -> None:
        """So many pieces of content of a kind were erased as the retention rules say."""
        self._erased.labels(kind).inc(number)

    def paused(self, worker: str) -> None:
        """The worker could not work."""
        self._pauses.labels(worker).inc()
