"""What is stored of a genuine call: its events as raw evidence, one each, and the whole if it carried many."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass

from services.callbacks.providers.call import Event, Verified
from services.callbacks.reading import texts_of
from services.kernel.domain.changes import CallbackKept, EvidenceStored
from services.kernel.domain.verp import Keyring, find
from services.kernel.ports import Ids
from services.kernel.runtime.door import Taken
from services.kernel.runtime.mail_door import addresses_of, notice_quoted

CALLBACK = "callback.received"
"""What `raw_evidence.type` says of a provider's event."""


@dataclass(frozen=True, slots=True)
class Ours:
    """What is ours in an event: tokens that these keys signed, and addresses at these domains (lower case)."""

    keyring: Keyring
    bounce_domain: str
    domains: Collection[str]


def taken(verified: Verified, body: bytes, ours: Ours, ids: Ids) -> Taken:
    """The call as it is committed. Nothing is made of an event but what the gate must know at once.

    That is the attempt that a genuine token names, wherever it stands in the event; where none does, the notice whose
    Message-ID stands in it; and the addresses in it.
    """
    headers = json.dumps(dict(verified.proof))
    rows = tuple(_row(event, verified.source, headers, ours, ids) for event in verified.events)
    return Taken(rows, CallbackKept(ids.uuid7(), verified.source, headers, body) if verified.batch else None)


def _row(event: Event, source: str, headers: str, ours: Ours, ids: Ids) -> EvidenceStored:
    texts = texts_of(event.told) if event.told is not None else [event.body.decode("latin-1")]
    attempts = (attempt for text in texts for attempt in find(text, ours.keyring, ours.bounce_domain))
    attempt = next(attempts, None)
    return EvidenceStored(
        evidence_id=ids.uuid7(),
        door="callback",
        source=source,
        event_id=event.event_id,
        type=CALLBACK,
        content_type="application/json",
        headers=headers,
        body=event.body,
        notice_id=notice_quoted(texts, ours.domains) if attempt is None else None,
        source_ref=None,
        attempt_id=attempt,
        addresses=addresses_of(texts, ours.domains),
        state="waiting",
    )
