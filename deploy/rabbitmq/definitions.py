"""Write RabbitMQ's definitions: users, permissions, policies, and the topology of the catalogue.

Usage: python deploy/rabbitmq/definitions.py PASSWORDS   (a file of `user: password` lines, YAML; prints JSON)

The user `duly` is the workers'. Every other user is an upstream: it may publish to the exchange `duly` the types that
upstreams send, under its own user id, and read what it is told from queues of its own, named `<user>.…`. Passwords are
kept as salted SHA-256, as RabbitMQ does itself. Workers declare the same topology; it is here so that it can be looked
at, and so that upstreams may publish before the first worker runs.
"""

# ruff: noqa: INP001 -- a script

from __future__ import annotations

import base64
import hashlib
import json
import re
import secrets
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from schemas.catalogue import CATALOGUE, EXCHANGE
from services.kernel.adapters.broker.catalogue import topology_of_catalogue
from services.kernel.adapters.broker.topology import QueueSpec

VHOST = "duly"
WORKERS = "duly"
_OURS = r"^duly(\..*)?$"
_SALT_BYTES = 4

Definition = dict[str, Any]


def hashed(password: str) -> str:
    """A password as RabbitMQ keeps it: base64 of a salt and SHA-256 over salt and password."""
    salt = secrets.token_bytes(_SALT_BYTES)
    return base64.b64encode(salt + hashlib.sha256(salt + password.encode()).digest()).decode()


def definitions(passwords: Mapping[str, str]) -> Definition:
    """Everything, for these users."""
    upstreams = [user for user in passwords if user != WORKERS]
    topology = topology_of_catalogue()
    dead, casualties = topology.dead_letter_exchange, topology.dead_letter_queue
    queues = [(topology.exchange, queue) for queue in topology.queues] + [(dead, casualties)] * bool(casualties)
    return {
        "vhosts": [{"name": VHOST, "default_queue_type": "quorum"}],
        "users": [_user(user, password) for user, password in passwords.items()],
        "permissions": [_workers(), *map(_upstream, upstreams)],
        "topic_permissions": [_topics(user) for user in upstreams],
        "policies": _policies(),
        "exchanges": [_exchange(name) for name in (topology.exchange, dead)],
        "queues": [_queue(queue) for _, queue in queues],
        "bindings": [binding for exchange, queue in queues for binding in _bindings(exchange, queue)],
    }


def _user(user: str, password: str) -> Definition:
    return {
        "name": user,
        "password_hash": hashed(password),
        "hashing_algorithm": "rabbit_password_hashing_sha256",
        "tags": [],
    }


def _workers() -> Definition:
    return {"user": WORKERS, "vhost": VHOST, "configure": _OURS, "write": _OURS, "read": _OURS}


def _upstream(user: str) -> Definition:
    own = rf"{re.escape(user)}\..*"
    return {
        "user": user,
        "vhost": VHOST,
        "configure": f"^{own}$",
        "write": f"^({re.escape(EXCHANGE)}|{own})$",
        "read": f"^({re.escape(EXCHANGE)}|{own})$",
    }


def _topics(user: str) -> Definition:
    """What upstreams send, and nothing that workers say to each other; they may listen to all that is told."""
    sent = sorted(row.type for row in CATALOGUE.values() if row.producer == "upstream")
    return {"user": user, "vhost": VHOST, "exchange": EXCHANGE, "write": f"^({_any(sent)})$", "read": ".*"}


def _any(words: Iterable[str]) -> str:
    return "|".join(map(re.escape, words))


def _policies() -> list[Definition]:
    """Replicas on three nodes, leaders spread over them. What the queues themselves say (limits) stands."""
    spread = {"target-group-size": 3, "queue-leader-locator": "balanced"}
    everywhere = {"vhost": VHOST, "pattern": ".*", "apply-to": "quorum_queues", "priority": 0}
    return [{**everywhere, "name": "three-replicas", "definition": spread}]


def _exchange(name: str) -> Definition:
    kept = {"durable": True, "auto_delete": False, "internal": False, "arguments": {}}
    return {"name": name, "vhost": VHOST, "type": "topic", **kept}


def _queue(queue: QueueSpec) -> Definition:
    arguments = dict(queue.declared_arguments())
    return {"name": queue.name, "vhost": VHOST, "durable": True, "auto_delete": False, "arguments": arguments}


def _bindings(exchange: str, queue: QueueSpec) -> list[Definition]:
    ends = {"source": exchange, "vhost": VHOST, "destination": queue.name, "destination_type": "queue"}
    return [{**ends, "routing_key": key, "arguments": {}} for key in queue.routing_keys]


def main() -> int:
    """Print the definitions for the users of the file that the command line names."""
    passwords = yaml.safe_load(Path(sys.argv[1]).read_text(encoding="utf-8"))
    sys.stdout.write(json.dumps(definitions(passwords), indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
