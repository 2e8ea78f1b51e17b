"""What a worker counts about itself, for `/metrics`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram


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
        self._callers = Counter(
            "duly_door_calls", "What came to a door, by what became of it", ["door", "outcome"], registry=self.registry
        )

    def came(self, door: str, outcome: str) -> None:
        """Somebody came to a door; the names are from small sets of ours, never what was brought."""
        self._callers.labels(door, outcome).inc()

    def waits(self, what: str, number: int, seconds: float) -> None:
        """How much of one kind of work waits, and for how long the oldest has."""
        self._waiting.labels(what).set(number)
        self._oldest.labels(what).set(seconds)

    @contextmanager
    def batch(self, worker: str, items: int) -> Iterator[None]:
        """Time one batch; its items count when it ends well."""
        with self._batches.labels(worker).time():
            yield
        self._items.labels(worker).inc(items)

    def paused(self, worker: str) -> None:
        """The worker could not work."""
        self._pauses.labels(worker).inc()
