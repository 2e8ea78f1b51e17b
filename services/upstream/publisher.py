"""Publishing until it is confirmed: resends what is not, with the same ids, and says what it still keeps.

Settings: `DULY_BROKER_URL` where no `url` is given. The broker user needs to write to the exchange `duly`, and to be
allowed to declare it; it needs no queue.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from urllib.parse import unquote, urlsplit

import structlog

from schemas.catalogue import EXCHANGE
from schemas.cloudevents import Envelope
from services.kernel.adapters.broker import Topology, open_broker
from services.kernel.adapters.ids import SystemIds
from services.kernel.ports import Broker, BrokerUnavailable, Ids, Outgoing
from services.upstream.events import Event, prepare

_log = structlog.get_logger(__name__)

_AT_A_TIME = 1000
_SHOWN = 5
_FIRST_WAIT = 0.2
_LONGEST_WAIT = 30.0
_IDS = SystemIds()


class NotConfirmed(Exception):
    """Time ran out before the broker had confirmed these events; any of them may have arrived all the same.

    `unconfirmed` are the events themselves: publish them again; as their ids are the same, Duly counts each once.
    """

    def __init__(self, unconfirmed: Sequence[Envelope]) -> None:
        self.unconfirmed = tuple(unconfirmed)
        self.event_ids = tuple(event.id for event in unconfirmed)
        shown = ", ".join(self.event_ids[:_SHOWN]) + (", …" if len(self.event_ids) > _SHOWN else "")
        super().__init__(f"not confirmed in time: {shown} ({len(self.event_ids)} in all)")


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to go on. `pause` waits that many seconds; `clock` gives seconds, from any origin, never going back."""

    give_up_after: float | None = None
    ids: Ids = _IDS
    clock: Callable[[], float] = time.monotonic
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep

    def wait(self, failures: int) -> float:
        """Seconds to wait after so many failures in a row: doubled each time, 30 at most, half of it by chance."""
        longest = min(_LONGEST_WAIT, _FIRST_WAIT * 2.0 ** min(failures - 1, 20))
        return longest * (1 + self.ids.jitter()) / 2


def publish(
    events: Iterable[Event], *, url: str | None = None, source: str | None = None, give_up_after: float | None = None
) -> tuple[str, ...]:
    """Publish events and return their ids when the broker has confirmed all of them. For programs without asyncio.

    Args:
        events: CloudEvents, or mappings of `type` and `data`, and if wanted `id`, `source`, `time`, `subject`.
        url: the broker, `amqp://` or `amqps://`; otherwise the environment's `DULY_BROKER_URL`.
        source: the sender's name, where an event gives none.
        give_up_after: seconds; None goes on for ever.

    Raises:
        EventsRefused: some events would be refused; none was sent.
        NotConfirmed: time ran out; it holds the events to publish again.
        ValueError: no broker is named, or by no AMQP address.
    """
    return asyncio.run(apublish(events, url=url, source=source, give_up_after=give_up_after))


async def apublish(
    events: Iterable[Event], *, url: str | None = None, source: str | None = None, give_up_after: float | None = None
) -> tuple[str, ...]:
    """Publish events as `publish` does, for programs with asyncio."""
    prepared = prepare(events, ids=_IDS, source=source)
    address = _address(url)
    broker = open_broker(address, Topology(exchange=EXCHANGE, queues=()), f"upstream {source or ''}".strip())
    try:
        await until_confirmed(broker, prepared, Patience(give_up_after), user=_user(address))
    finally:
        await broker.close()
    return tuple(event.id for event in prepared)


def _address(url: str | None) -> str:
    address = url or os.environ.get("DULY_BROKER_URL", "")
    if urlsplit(address).scheme not in ("amqp", "amqps"):
        raise ValueError("give url, or set DULY_BROKER_URL, to amqp://user:password@host/vhost or amqps://…")
    return address


def _user(url: str) -> str:
    return unquote(urlsplit(url).username or "guest")


async def until_confirmed(broker: Broker, events: Sequence[Envelope], patience: Patience, *, user: str) -> None:
    """Publish until the broker has confirmed every event; `user` is who the broker vouches for.

    Raises:
        NotConfirmed: `patience` ended first.
    """
    waiting = {key: _outgoing(key, event, user) for key, event in enumerate(events)}
    ends = None if patience.give_up_after is None else patience.clock() + patience.give_up_after
    failures = 0
    while waiting:
        sent = list(islice(waiting.values(), _AT_A_TIME))
        confirmed = await _once(broker, sent, _left(ends, patience))
        for message in sent:
            waiting.pop(message.key)
            if message.key not in confirmed:
                waiting[message.key] = message  # to the end: what no queue takes keeps nobody else waiting
        if not waiting:
            return
        failures = 0 if confirmed else failures + 1
        if (left := _left(ends, patience)) is not None and left <= 0:
            raise NotConfirmed([events[key] for key in waiting])
        if failures:
            await _wait(patience, failures, left, len(waiting))


def _outgoing(key: int, event: Envelope, user: str) -> Outgoing:
    return Outgoing(key, event.type, event.wire(), mandatory=True, message_id=event.id, user_id=user)


def _left(ends: float | None, patience: Patience) -> float | None:
    return None if ends is None else ends - patience.clock()


async def _once(broker: Broker, messages: Sequence[Outgoing], seconds: float | None) -> set[int]:
    """One attempt, `seconds` at most; what it does not confirm counts as unsent."""
    with suppress(BrokerUnavailable, TimeoutError):
        async with asyncio.timeout(seconds):
            return await broker.publish(messages)
    return set()


async def _wait(patience: Patience, failures: int, left: float | None, unconfirmed: int) -> None:
    seconds = patience.wait(failures) if left is None else min(left, patience.wait(failures))
    _log.warning("publish.waiting", unconfirmed=unconfirmed, seconds=round(seconds, 1))
    await patience.pause(seconds)
