"""What comes again: which deliveries really are retries, replays or rehearsals of failed items.

Whoever may publish may make up headers. So they count only where the database knows the failed item, and this very
message as its own; all others are ordinary messages, which begin anew and are never dropped.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from binascii import Error
from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from uuid import UUID

from schemas.cloudevents import CONTENT_TYPE
from services.kernel.ledger import AgainFacts, Claim, Named, Standing
from services.kernel.ports import Delivery
from services.kernel.runtime.items import ATTEMPTS, FAILED_ID, REHEARSAL, REPLAYED, failed_id_of, items_of, run_of

REHEARSED = "rehearsal.asked.v1"
"""The type in which relay wraps a message to be rehearsed. It is in no catalogue: a worker of a version that knows no
rehearsals cannot read it, and so does nothing in earnest."""
_MARKS = frozenset({FAILED_ID, ATTEMPTS, REPLAYED, REHEARSAL})


@dataclass(frozen=True, slots=True)
class Come:
    """One delivery as it is to be treated; `delivery` is what to work with. `over`: nothing is to be done with it.

    `begun`: how often workers began anew with its rehearsal after another had died.
    """

    delivery: Delivery
    rehearsal: Named | None = None
    over: bool = False
    begun: int = 0


def wrapped(run_id: UUID, failed_id: UUID, body: bytes, content_type: str) -> bytes:
    """The message that asks for a rehearsal of another, which it carries whole."""
    data = {"content_type": content_type, "body": b64encode(body).decode()}
    named = {"specversion": "1.0", "id": f"{run_id}:{failed_id}", "source": "duly", "type": REHEARSED}
    return json.dumps({**named, "datacontenttype": "application/json", "data": data}).encode()


async def come(ledger: AgainFacts, consumer: str, deliveries: Sequence[Delivery]) -> list[Come]:
    """What each of these deliveries is, in order.

    Raises:
        LedgerUnavailable: the database is away.
    """
    opened = [_opened(delivery) for delivery in deliveries]
    claims = {
        number: claim for number, each in enumerate(opened) if (claim := _claim(each or deliveries[number], consumer))
    }
    known = dict(zip(claims, await ledger.come_again(consumer, list(claims.values())), strict=True)) if claims else {}
    return [
        _rehearsal(delivery, inner, known.get(number)) if inner else _real(delivery, known.get(number))
        for number, (delivery, inner) in enumerate(zip(deliveries, opened, strict=True))
    ]


def _rehearsal(delivery: Delivery, inner: Delivery, standing: Standing | None) -> Come:
    """What was edited since it was handed out is not what a person asked about: relay hands it out again."""
    named = run_of(inner)
    if named is None or standing is None or standing.run is None or standing.run.replays:
        return Come(_ordinary(delivery))
    return Come(inner, named, standing.run.ended or not standing.current, standing.run.begun)


def _real(delivery: Delivery, standing: Standing | None) -> Come:
    """A late copy of what a run has ended is no other attempt; nor may what an approved edit replaced be done."""
    if standing is None or not (standing.current or standing.superseded):
        return Come(_ordinary(delivery))
    ended = standing.run is not None and standing.run.ended
    return Come(_without(delivery, {REHEARSAL}), over=ended or not standing.current)


def _ordinary(delivery: Delivery) -> Delivery:
    return _without(delivery, _MARKS)


def _without(delivery: Delivery, names: frozenset[str] | set[str]) -> Delivery:
    if names.isdisjoint(delivery.headers):
        return delivery
    return replace(delivery, headers={name: each for name, each in delivery.headers.items() if name not in names})


def _opened(delivery: Delivery) -> Delivery | None:
    """The message that is to be rehearsed, if this asks for a rehearsal."""
    if REHEARSAL not in delivery.headers:
        return None
    try:
        asked = json.loads(delivery.body)
        if asked["type"] != REHEARSED or not delivery.content_type.startswith(CONTENT_TYPE):
            return None
        body, content_type = b64decode(asked["data"]["body"], validate=True), str(asked["data"]["content_type"])
    except (ValueError, KeyError, TypeError, Error, RecursionError):
        return None
    return replace(delivery, body=body, content_type=content_type)


def _claim(delivery: Delivery, consumer: str) -> Claim | None:
    failed_id, named = failed_id_of(delivery), run_of(delivery)
    if failed_id is None:
        return None
    key = items_of(delivery, consumer)[0].key
    return Claim(failed_id, named and named[0], sha256(delivery.body).digest(), key.source, key.event_id)
