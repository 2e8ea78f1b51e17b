"""The intake door over HTTP, as tests put it together: real library, real database, a broker that only keeps."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Any
from uuid import uuid4

from services.intake.__main__ import over_http
from services.intake.settings import IntakeSettings
from services.kernel.adapters.ids import SystemIds
from services.kernel.adapters.library import load_library
from services.kernel.adapters.parts import LIBRARY, Parts
from services.kernel.adapters.postgres.ledger import PostgresLedger
from services.kernel.adapters.web.server import WebWorker
from services.kernel.domain.library import Library
from services.kernel.domain.regime import ApiKey
from services.kernel.ports import Outgoing
from services.kernel.runtime.measures import Measures
from services.kernel.runtime.settings import WorkerSettings

KEYS = {name: f"duly_{name}_{name[0] * 43}" for name in ("fees", "registry", "caseworking")}
ONE, BATCH = "application/cloudevents+json", "application/cloudevents-batch+json"


def library() -> Library:
    """The library that comes with Duly, with a key for each source."""
    plain = load_library(LIBRARY)
    keyed = {
        name: replace(
            source,
            api_keys=(ApiKey(name, sha256(KEYS[name].encode()).digest()),),
            oauth_clients=frozenset({f"{name}-client"}),
        )
        for name, source in plain.sources.items()
    }
    return replace(plain, sources=keyed)


@dataclass
class Keeping:
    """A broker that confirms everything and keeps it; or, `away`, confirms nothing."""

    sent: list[Outgoing] = field(default_factory=list)
    away: bool = False

    async def publish(self, messages: Sequence[Outgoing]) -> set[int]:
        self.sent += () if self.away else messages
        return set() if self.away else {message.key for message in messages}


def door(ledger: PostgresLedger, broker: Any, **settings: Any) -> WebWorker:
    parts = Parts(ledger, broker, library(), SystemIds(), Measures(), WorkerSettings())
    named = {IntakeSettings.model_fields[name].validation_alias: value for name, value in settings.items()}
    return over_http(parts, IntakeSettings(**named), 0)


def event(given: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A whole event of what `tests.rig.system` makes."""
    return {"specversion": "1.0", "id": str(uuid4()), **given, **more}


def sent_as(source: str = "fees", form: str = ONE) -> dict[str, str]:
    return {"authorization": f"Bearer {KEYS[source]}", "content-type": form}


def written(value: Any) -> bytes:
    return json.dumps(value).encode()
