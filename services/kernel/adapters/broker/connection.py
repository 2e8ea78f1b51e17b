"""One AMQP connection on the asyncio loop: read, written and kept alive by it, and never blocking it."""

# mypy: disable-error-code="no-untyped-call,no-any-return"
# kombu declares itself typed and annotates nothing.
from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from amqp.exceptions import AMQPError
from kombu.connection import Connection

from services.kernel.adapters.broker.frames import LoopChannel, LoopTransport, frame_handler
from services.kernel.ports import BrokerUnavailable

if TYPE_CHECKING:
    from services.kernel.adapters.broker.frames import LoopAmqp
    from services.kernel.adapters.broker.wire import TcpWire, TlsWire

_FRAMES_A_TURN = 900
_HIGH_WATER_BYTES = 1_048_576
_CLOSE_SECONDS = 2.0
_ADVICE = "check DULY_BROKER_URL, that the broker runs and that this user may use this virtual host"


@dataclass(frozen=True, slots=True)
class Address:
    """Where the broker is and how to behave towards it. Times in seconds; `url` holds the password and is not shown."""

    url: str = field(repr=False)
    heartbeat: int
    write_timeout: float
    client_name: str
    connect_timeout: float = 5.0

    def shown(self) -> str:
        """The address without its credentials."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.hostname}:{parts.port or LoopTransport.default_port}{parts.path}"


def _dial(address: Address) -> LoopAmqp:
    options: dict[str, object] = {
        "client_properties": {"connection_name": address.client_name},
        "frame_handler": frame_handler,
    }
    if hasattr(
        socket, "TCP_USER_TIMEOUT"
    ):  # py-amqp's default, 1 s, ends a connection that a full broker only holds up
        options["socket_settings"] = {socket.TCP_USER_TIMEOUT: int(address.write_timeout * 1000)}
    parts = urlsplit(address.url)
    client = Connection(
        address.url,
        transport=LoopTransport,
        ssl={"server_hostname": parts.hostname} if parts.scheme == "amqps" else False,
        port=parts.port or (LoopTransport.default_ssl_port if parts.scheme == "amqps" else LoopTransport.default_port),
        connect_timeout=address.connect_timeout,
        heartbeat=address.heartbeat,
        transport_options=options,
    )
    return client.transport.establish_connection()


class LoopConnection:
    """A connection with one channel. Made blocking, in a thread; then `watch` gives it to the loop."""

    def __init__(self, address: Address) -> None:
        """Connect and open the channel, blocking.

        Raises:
            BrokerUnavailable: with the address tried and what to do.
        """
        self._address = address
        self._loop: asyncio.AbstractEventLoop | None = None
        self._on_lost: Callable[[BrokerUnavailable], None] | None = None
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._flush_due = False
        self._writing = False
        self._room = asyncio.Event()
        self._room.set()
        self.fault: BrokerUnavailable | None = None
        with self.explained("reach the broker"):
            self.amqp = _dial(address)
            self._wire: TcpWire | TlsWire = self.amqp.transport
            self._fd: int = self.amqp.sock.fileno()
            self.amqp.sock.settimeout(address.connect_timeout)  # bounds every synchronous call to come
            self.channel: LoopChannel = self.amqp.channel()

    @contextmanager
    def explained(self, deed: str) -> Iterator[None]:
        """Turn faults of the enclosed synchronous calls into BrokerUnavailable, and close."""
        try:
            yield
        except (OSError, AMQPError) as fault:
            if hasattr(self, "amqp"):
                self.close_now()
            where = f"could not {deed} at {self._address.shown()}: {fault}"
            raise BrokerUnavailable(f"{where}; {_ADVICE}") from fault

    # -- on the loop ---------------------------------------------------------------------------------------------------

    def watch(self, on_lost: Callable[[BrokerUnavailable], None]) -> None:
        """Give the socket to the running loop, then read once: deliveries may be buffered already.

        `on_lost` is called once, when the connection ends other than by `close`.
        """
        self._loop = asyncio.get_running_loop()
        self._on_lost = on_lost
        self._wire.hand_over(self._schedule_flush)
        self._loop.add_reader(self._fd, self._read)
        if self.amqp.heartbeat:
            self._beat()
        self._read()

    def _read(self) -> None:
        """Dispatch what has arrived. Catches everything: an exception here would be called again at once, for ever."""
        if self.fault is not None or self._loop is None:
            return
        try:
            read, dispatch = self._wire.read_frame, self.amqp.on_inbound_frame
            for _ in range(_FRAMES_A_TURN):
                dispatch(read())
        except TimeoutError:
            return
        except Exception as fault:  # noqa: BLE001 -- whatever it is, this connection is over and its owner is told
            self.lose(fault)
            return
        self._loop.call_soon(self._read)  # more may be buffered, of which the socket says nothing

    def _beat(self) -> None:
        if self._loop is None or self.fault is not None:
            return
        self._timers["beat"] = self._loop.call_later(self.amqp.heartbeat / 4, self._beat)
        self._read()  # after a stall of ours, what waits in the socket counts as heard
        if self.fault is None:
            try:
                self.amqp.heartbeat_tick()
            except Exception as fault:  # noqa: BLE001 -- missed heartbeats, a dead socket: the same end
                self.lose(fault)

    def _schedule_flush(self) -> None:
        if not self._flush_due and self._loop is not None:
            self._flush_due = True
            self._loop.call_soon(self.flush)
        if self._wire.unsent > _HIGH_WATER_BYTES:
            self._room.clear()

    def flush(self) -> None:
        """Send what is queued, as far as the kernel takes it; the rest goes as it takes more."""
        self._flush_due = False
        if self._loop is None or self.fault is not None:
            return
        before = self._wire.unsent
        try:
            self._wire.flush()
        except Exception as fault:  # noqa: BLE001 -- after any write error the connection is dropped
            self.lose(fault)
            return
        self._follow_up(progressed=self._wire.unsent < before)

    def _follow_up(self, *, progressed: bool) -> None:
        assert self._loop is not None  # noqa: S101 -- `flush` looked
        if self._wire.unsent <= _HIGH_WATER_BYTES:
            self._room.set()
        if progressed or not self._wire.unsent:
            self._cancel("stall")
        if not self._wire.unsent:
            self._loop.remove_writer(self._fd)
            self._writing = False
            return
        if not self._writing:
            self._loop.add_writer(self._fd, self.flush)
            self._writing = True
        if "stall" not in self._timers:
            self._timers["stall"] = self._loop.call_later(self._address.write_timeout, self._stalled)

    def _stalled(self) -> None:
        self.lose(TimeoutError(f"the broker took nothing for {self._address.write_timeout} s"))

    async def room(self) -> None:
        """Wait until little enough is queued to write more.

        Raises:
            BrokerUnavailable: the connection was lost.
        """
        await self._room.wait()
        if self.fault is not None:
            raise self.fault

    # -- the end -------------------------------------------------------------------------------------------------------

    def lose(self, fault: BaseException) -> None:
        """The connection is over: leave the loop, close the socket, tell the owner. Later calls do nothing."""
        if self.fault is not None:
            return
        self.fault = BrokerUnavailable(
            f"lost the broker at {self._address.shown()}: {str(fault) or type(fault).__name__}"
        )
        self.fault.__cause__ = fault
        self._leave_loop()
        self._drop()
        self._room.set()
        if self._on_lost is not None:
            self._on_lost(self.fault)

    def _cancel(self, timer: str) -> None:
        handle = self._timers.pop(timer, None)
        if handle is not None:
            handle.cancel()

    def _leave_loop(self) -> None:
        if self._loop is not None:
            self._loop.remove_reader(self._fd)
            self._loop.remove_writer(self._fd)
        for timer in list(self._timers):
            self._cancel(timer)
        self._loop = None

    def _drop(self) -> None:
        with suppress(Exception):
            self.amqp.collect()
        self._wire.close()

    async def close(self) -> None:
        """Say goodbye and close, in at most two seconds; what was queued is sent first. Never raises."""
        if self.fault is not None:
            return
        self.fault = BrokerUnavailable("the connection was closed")
        self._leave_loop()
        self._room.set()
        await asyncio.to_thread(self.close_now)

    def close_now(self) -> None:
        """Close, blocking: for a connection that is not, or no longer, on the loop. Never raises."""
        with suppress(Exception):
            self._wire.take_back(_CLOSE_SECONDS)
            self.amqp.close()
        self._drop()
