"""From AMQP frames to deliveries, tolerant of what a publisher may have put into properties.

py-amqp's own handler lets one undecodable property end the connection, and with it the work of the whole prefetch,
again at each redelivery. Here such a message arrives without properties, marked, for the door to refuse.
"""

from __future__ import annotations

from collections.abc import Callable
from struct import Struct
from typing import TYPE_CHECKING, NamedTuple

import amqp
from amqp import spec
from amqp.serialization import decode_properties_basic
from kombu.transport import pyamqp

from services.kernel.adapters.broker.wire import TcpWire, TlsWire
from services.kernel.ports import Delivery

if TYPE_CHECKING:
    Frame = tuple[int, int, bytes]
    Method = tuple[int, int]
    Properties = dict[str, object]

_SIGNATURE = Struct(">HH")
_DELIVERY_TAG = Struct(">QB")
_CONTENT_METHODS = frozenset([spec.Basic.Return, spec.Basic.Deliver, spec.Basic.GetOk])
_METHOD, _HEADER, _HEARTBEAT = 1, 2, 8
_BODY_SIZE = Struct(">4xQ")
_PROPERTIES_AT = 12

UNREADABLE = "x-unreadable-properties"
"""The header that marks a message whose own properties could not be decoded."""


class Arrival(NamedTuple):
    """One message as its frames said it, properties still raw."""

    tag: int
    redelivered: bool
    routing_key: str
    header: bytes
    body: bytes


class _Content:
    """A method with content, while its header and body frames come in."""

    __slots__ = ("arguments", "chunks", "header", "missing", "signature")

    def __init__(self, signature: Method, arguments: bytes) -> None:
        self.signature = signature
        self.arguments = arguments
        self.header = b""
        self.missing = 0
        self.chunks: list[bytes] = []

    def add(self, kind: int, payload: bytes) -> bool:
        """Take the next frame; True when the content is whole."""
        if kind == _HEADER:
            self.header = payload
            (self.missing,) = _BODY_SIZE.unpack_from(payload)
        else:
            self.chunks.append(payload)
            self.missing -= len(payload)
        return self.missing <= 0

    def arrival(self) -> Arrival:
        buffer = self.arguments
        at = 5 + buffer[4]  # past the consumer tag
        tag, redelivered = _DELIVERY_TAG.unpack_from(buffer, at)
        at += _DELIVERY_TAG.size
        at += 1 + buffer[at]  # past the exchange
        routing_key = buffer[at + 1 : at + 1 + buffer[at]].decode("utf-8", "replace")
        body = self.chunks[0] if len(self.chunks) == 1 else b"".join(self.chunks)
        return Arrival(tag, bool(redelivered & 1), routing_key, self.header, body)


def read_properties(header: bytes) -> Properties:
    """The basic properties of a content header; if they cannot be decoded, none but the mark `UNREADABLE`."""
    try:
        return dict(decode_properties_basic(header, _PROPERTIES_AT)[0])
    except Exception:  # noqa: BLE001 -- whatever a publisher put there, it harms only its own message
        return {"application_headers": {UNREADABLE: "true"}}


def _text(value: object) -> str | None:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return None if value is None or isinstance(value, dict | list) else str(value)


def plain_headers(table: object) -> dict[str, str]:
    """A header table as text; nested values (`x-death`) and voids are left out."""
    if not isinstance(table, dict):
        return {}
    texts = ((_text(name) or "", _text(value)) for name, value in table.items())
    return {name: value for name, value in texts if value is not None}


def delivery(arrival: Arrival) -> Delivery:
    """What the worker sees of an arrival."""
    properties = read_properties(arrival.header)
    return Delivery(
        tag=arrival.tag,
        body=arrival.body,
        content_type=_text(properties.get("content_type")) or "",
        headers=plain_headers(properties.get("application_headers")),
        routing_key=arrival.routing_key,
        redelivered=arrival.redelivered,
        user_id=_text(properties.get("user_id")),
        message_id=_text(properties.get("message_id")),
    )


def frame_handler(
    connection: amqp.Connection, on_method: Callable[[int, Method, bytes, None], object]
) -> Callable[[Frame], bool]:
    """The frame reader that py-amqp's connection calls; True when a frame completed something."""
    contents: dict[int, _Content] = {}

    def on_frame(frame: Frame) -> bool:
        kind, channel, payload = frame
        connection.bytes_recv += 1
        if kind == _HEARTBEAT:
            return False
        if kind == _METHOD:
            signature = _SIGNATURE.unpack_from(payload)
            if signature not in _CONTENT_METHODS:
                on_method(channel, signature, payload, None)
                return True
            contents[channel] = _Content(signature, payload)
            return False
        content = contents[channel]
        if not content.add(kind, payload):
            return False
        del contents[channel]
        connection.channels[channel].on_content(content)
        return True

    return on_frame


class LoopChannel(pyamqp.Channel):
    """A channel that hands content to two callbacks, and that a fault ends for good."""

    on_arrival: Callable[[Arrival], None] | None = None
    on_returned: Callable[[Properties], None] | None = None

    def on_content(self, content: _Content) -> None:
        """Pass on a whole delivery or a returned message."""
        if content.signature == spec.Basic.Deliver and self.on_arrival is not None:
            self.on_arrival(content.arrival())
        elif content.signature == spec.Basic.Return and self.on_returned is not None:
            self.on_returned(read_properties(content.header))

    def _do_revive(self) -> None:
        """Do not reopen: that waits for an answer inside the reader. The fault, raised next, ends the connection."""
        self.is_open = False


class LoopAmqp(pyamqp.Connection):
    """py-amqp's connection on our wire and our frame handler."""

    Channel = LoopChannel

    def Transport(  # noqa: N802 -- py-amqp's name
        self, host: str, connect_timeout: float, ssl: object = False, *timeouts: float | None, **options: object
    ) -> TcpWire | TlsWire:
        """Make the wire for this host."""
        read_timeout, write_timeout = timeouts
        wire = TlsWire if ssl else TcpWire
        return wire(
            host,
            connect_timeout=connect_timeout,
            ssl=ssl,
            read_timeout=read_timeout,
            write_timeout=write_timeout,
            **options,
        )


class LoopTransport(pyamqp.Transport):
    """kombu's AMQP transport, making our connections."""

    Connection = LoopAmqp
