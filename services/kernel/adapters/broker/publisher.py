"""Publishing with confirms, pipelined, over a connection of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Self

import structlog
from amqp import spec
from amqp.basic_message import Message

from services.kernel.adapters.broker.connection import Address, LoopConnection
from services.kernel.adapters.broker.declare import declare
from services.kernel.ports import BrokerUnavailable, Outgoing

if TYPE_CHECKING:
    from services.kernel.adapters.broker.frames import Properties
    from services.kernel.adapters.broker.topology import Topology

_log = structlog.get_logger(__name__)
_MESSAGES_A_TURN = 64
_PERSISTENT = 2


class _Batch:
    """The messages of one `publish`, until the broker has answered for each."""

    def __init__(self) -> None:
        self.confirmed: set[int] = set()
        self.refused: set[int] = set()
        self.outstanding = 0
        self.complete = False
        self.answered = asyncio.Event()

    def answer(self, key: int, *, taken: bool) -> None:
        (self.confirmed if taken else self.refused).add(key)
        self.outstanding -= 1
        self._see()

    def close(self) -> None:
        """No more will be sent: once the broker has answered for all of them, that is the answer."""
        self.complete = True
        self._see()

    def _see(self) -> None:
        if self.complete and not self.outstanding:
            self.answered.set()


class ConfirmingPublisher:
    """One publishing connection; when it is lost, all that was not confirmed is unsent and a new one is made.

    `patience` seconds is how long a publish waits for a broker that blocks publishers (memory or disk alarm);
    `answer_seconds` how long it waits for confirms in all.
    """

    def __init__(self, connection: LoopConnection, exchange: str, *, patience: float, answer_seconds: float) -> None:
        self._connection = connection
        self._exchange = exchange
        self._patience = patience
        self._answer_seconds = answer_seconds
        self._next_tag = 1
        self._pending: dict[int, tuple[_Batch, int]] = {}  # by tag, ascending
        self._returned: set[int] = set()
        self._unblocked = asyncio.Event()
        self._unblocked.set()
        self._give_up: asyncio.TimerHandle | None = None

    @classmethod
    def begin(cls, address: Address, topology: Topology, *, patience: float, answer_seconds: float) -> Self:
        """Connect, declare the topology and ask for confirms, blocking. `watch` must follow on the loop.

        Raises:
            BrokerUnavailable: with what was tried and what to do.
        """
        connection = LoopConnection(address)
        with connection.explained("declare the topology"):
            declare(connection.channel, topology)
            connection.channel.confirm_select()
        return cls(connection, topology.exchange, patience=patience, answer_seconds=answer_seconds)

    def watch(self) -> None:
        """Publish on the running loop."""
        channel = self._connection.channel
        channel.on_returned = self._on_returned
        channel.events["basic_ack"].add(self._on_ack)
        channel.events["basic_nack"].add(self._on_nack)
        self._connection.amqp.on_blocked = self._on_blocked
        self._connection.amqp.on_unblocked = self._on_unblocked
        self._connection.watch(self._on_lost)

    @property
    def alive(self) -> bool:
        """Whether the connection stands, as far as we know."""
        return self._connection.fault is None

    # -- called by the connection --------------------------------------------------------------------------------------

    def _on_ack(self, tag: int, multiple: bool) -> None:
        self._answer(tag, taken=True, multiple=multiple)

    def _on_nack(self, tag: int, multiple: bool) -> None:
        self._answer(tag, taken=False, multiple=multiple)

    def _answer(self, tag: int, *, taken: bool, multiple: bool) -> None:
        """Settle this tag, or with `multiple` every older one too; answers do not come in order."""
        if not multiple:
            tags = [tag]
        else:
            tags = []
            for older in self._pending:
                if older > tag:
                    break
                tags.append(older)
        for one in tags:
            batch, key = self._pending.pop(one, (None, 0))
            if batch is not None:
                batch.answer(key, taken=taken and one not in self._returned)
            self._returned.discard(one)

    def _on_returned(self, properties: Properties) -> None:
        """No queue took a mandatory message. Its confirm follows, and must not count."""
        with suppress(ValueError):
            self._returned.add(int(str(properties.get("correlation_id"))))

    def _on_blocked(self, _reason: str) -> None:
        self._unblocked.clear()
        self._give_up = asyncio.get_running_loop().call_later(self._patience, self._release)

    def _on_unblocked(self) -> None:
        self._unblocked.set()
        if self._give_up is not None:
            self._give_up.cancel()

    def _on_lost(self, fault: BrokerUnavailable) -> None:
        _log.warning("broker.publisher_lost", unsent=len(self._pending), exc_info=fault)
        self._release()
        self._pending.clear()
        self._on_unblocked()

    def _release(self) -> None:
        """Let every waiting publish report what it has; the rest is unsent."""
        for batch, _key in self._pending.values():
            batch.answered.set()

    # -- called by the broker ------------------------------------------------------------------------------------------

    async def publish(self, messages: Sequence[Outgoing]) -> set[int]:
        """Send all, then wait for the answers; the keys of those confirmed. Several tasks may publish at once."""
        batch = _Batch()
        for position, message in enumerate(messages):
            if position % _MESSAGES_A_TURN == 0 and not await self._may_send():
                break
            self._send(message, batch)
        batch.close()
        if self.alive:
            with suppress(TimeoutError):
                await asyncio.wait_for(batch.answered.wait(), self._answer_seconds)
        return batch.confirmed - batch.refused

    async def _may_send(self) -> bool:
        """Give others a turn; wait, within bounds, while the broker blocks us or its socket is full."""
        await asyncio.sleep(0)
        try:
            await asyncio.wait_for(self._unblocked.wait(), self._patience)
            await asyncio.wait_for(self._connection.room(), self._answer_seconds)
        except (TimeoutError, BrokerUnavailable):
            return False
        return self.alive

    def _send(self, message: Outgoing, batch: _Batch) -> None:
        tag = self._next_tag
        content = Message(
            message.body,
            content_type=message.content_type,
            application_headers=message.headers,
            delivery_mode=_PERSISTENT,
            message_id=message.message_id,
            user_id=message.user_id,
            correlation_id=str(tag) if message.mandatory else None,  # tells a returned message from its neighbours
        )
        arguments = (0, self._exchange, message.routing_key, message.mandatory, False)
        try:
            self._connection.channel.send_method(spec.Basic.Publish, "Bssbb", arguments, content)
        except Exception as fault:  # noqa: BLE001 -- one message that cannot be encoded delays no other
            _log.warning("message.unsendable", outbox_id=message.key, exc_info=fault)
            return
        self._next_tag += 1
        self._pending[tag] = (batch, message.key)
        batch.outstanding += 1

    async def close(self) -> None:
        """Close the connection; what is unconfirmed is unsent. Never raises."""
        await self._connection.close()
        self._release()
        self._pending.clear()
        self._on_unblocked()

    def close_now(self) -> None:
        """Close, blocking: for a publisher that nobody waits for any more. Never raises."""
        self._connection.close_now()
