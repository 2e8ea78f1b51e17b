"""The catalogue as one AsyncAPI 3.0 document, from Duly's point of view: receive from queues, send to the exchange."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import JsonValue

from schemas.catalogue import (
    CASUALTIES,
    CATALOGUE,
    DEAD_LETTER_EXCHANGE,
    DELIVERY_LIMIT,
    EXCHANGE,
    QUEUES,
    SINGLE_CONSUMER,
    Entry,
    routing_keys,
)
from schemas.cloudevents import CONTENT_TYPE

Node = dict[str, JsonValue]

OUTSIDE = "upstream"
_AMQP = "0.3.0"
_ABOUT = """\
Statutory notices, from the request to the sanction. Every message is a CloudEvent 1.0 in structured JSON, published to
the topic exchange with its type as routing key; binary mode is accepted from upstream. Dispatch is on the type, never
on the routing key. A message is acknowledged when its work is committed, and may be delivered again.
"""


def document() -> Node:
    """The whole document. The same catalogue gives the same document, in the same order."""
    operations: Node = {}
    for entry in CATALOGUE.values():
        operations |= _operations(entry)
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "Duly", "version": "1", "description": _ABOUT, "license": {"name": "MIT"}},
        "defaultContentType": CONTENT_TYPE,
        "servers": {"broker": _server()},
        "channels": {"exchange": _exchange(), **{queue: _queue(queue) for queue in QUEUES}, CASUALTIES: _casualties()},
        "operations": operations,
        "components": {
            "messages": {entry.type: _message(entry) for entry in CATALOGUE.values()},
            "securitySchemes": {"user": {"type": "userPassword", "description": "Its name is the messages' user_id."}},
        },
    }


def queue_arguments(queue: str) -> Node:
    """What the queue is declared with; a queue declared once refuses any other arguments."""
    arguments: Node = {"x-queue-type": "quorum", "x-overflow": "reject-publish"}
    if queue != CASUALTIES:
        arguments |= {
            "x-delivery-limit": DELIVERY_LIMIT,
            "x-dead-letter-exchange": DEAD_LETTER_EXCHANGE,
            "x-dead-letter-strategy": "at-least-once",
        }
    if queue in SINGLE_CONSUMER:
        arguments["x-single-active-consumer"] = True
    return arguments


def _server() -> Node:
    return {
        "host": "broker.example:5672",
        "protocol": "amqp",
        "protocolVersion": "0.9.1",
        "description": "The address is DULY_BROKER_URL; amqps where the broker offers TLS.",
        "security": [{"$ref": "#/components/securitySchemes/user"}],
    }


def _exchange() -> Node:
    types: list[JsonValue] = list(CATALOGUE)
    return {
        "address": "{type}",
        "title": "The exchange",
        "description": "Whoever may bind a queue chooses by type: `notice.#`, `sanction.fired.v1`.",
        "messages": _messages(CATALOGUE),
        "parameters": {"type": {"description": "The message's type, which is its routing key.", "enum": types}},
        "bindings": {
            "amqp": {
                "is": "routingKey",
                "exchange": {"name": EXCHANGE, "type": "topic", "durable": True, "autoDelete": False, "vhost": "/"},
                "bindingVersion": _AMQP,
            }
        },
    }


def _queue(queue: str) -> Node:
    keys = routing_keys(queue)
    order = " One consumer at a time; others stand by." if queue in SINGLE_CONSUMER else ""
    return {
        "address": queue,
        "title": queue,
        "description": f"What `{queue.removeprefix('duly.')}` takes.{order}",
        "messages": _messages(keys),
        "bindings": _queue_binding(queue),
        "x-exchange": EXCHANGE,
        "x-binding-keys": list(keys),
        "x-queue-arguments": queue_arguments(queue),
    }


def _casualties() -> Node:
    taken = [entry.type for entry in CATALOGUE.values() if entry.queue]
    return {
        "address": CASUALTIES,
        "title": CASUALTIES,
        "description": f"What came back more than {DELIVERY_LIMIT} times; `relay` collects it.",
        "messages": _messages(taken),
        "bindings": _queue_binding(CASUALTIES),
        "x-exchange": DEAD_LETTER_EXCHANGE,
        "x-queue-arguments": queue_arguments(CASUALTIES),
    }


def _queue_binding(queue: str) -> Node:
    shape: Node = {"name": queue, "durable": True, "exclusive": False, "autoDelete": False, "vhost": "/"}
    return {"amqp": {"is": "queue", "queue": shape, "bindingVersion": _AMQP}}


def _messages(types: Iterable[str]) -> Node:
    return {one: {"$ref": f"#/components/messages/{one}"} for one in types}


def _operations(entry: Entry) -> Node:
    operations: Node = {}
    if entry.producer != OUTSIDE:
        operations[f"send.{entry.type}"] = _operation("send", "exchange", entry, {"deliveryMode": 2})
    if entry.queue:
        operations[f"receive.{entry.type}"] = _operation("receive", entry.queue, entry, {"ack": True})
    return operations


def _operation(action: str, channel: str, entry: Entry, binding: Node) -> Node:
    place = f"#/channels/{channel}"
    return {
        "action": action,
        "channel": {"$ref": place},
        "summary": f"{entry.producer} → {entry.consumer or OUTSIDE}: {entry.summary}",
        "messages": [{"$ref": f"{place}/messages/{entry.type}"}],
        "bindings": {"amqp": {**binding, "bindingVersion": _AMQP}},
    }


def _message(entry: Entry) -> Node:
    data: Node = {
        "type": "object",
        "properties": {"type": {"const": entry.type}, "data": {"$ref": f"./json/{entry.type}.json"}},
    }
    return {
        "name": entry.type,
        "title": entry.model.__name__,
        "summary": entry.summary,
        "description": (entry.model.__doc__ or "").strip(),
        "contentType": CONTENT_TYPE,
        "payload": {"allOf": [{"$ref": "./json/envelope.json"}, data]},
        "bindings": {"amqp": {"contentEncoding": "utf-8", "messageType": entry.type, "bindingVersion": _AMQP}},
        "x-producer": entry.producer,
        "x-consumer": entry.consumer or OUTSIDE,
        "x-most-bytes": entry.most_bytes,
        "x-retry-seconds": list(entry.retries),
    }
