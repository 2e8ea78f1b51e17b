"""renderer: takes `notice.requested`, refuses what the law does not allow, and makes the rest into rendered notices.

Standards: CloudEvents 1.0. Writes notices, their content and the first facts of their evidence; tells upstream
`notice.accepted` or `notice.refused`, and the notifier `notice.rendered`, many notices in one message.
Settings: `services/renderer/settings.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import cast
from uuid import UUID

from pydantic import JsonValue
from pydantic_core import to_json

from schemas.cloudevents import Envelope
from schemas.messages.hops import NoticeRenderedV1
from schemas.messages.outcomes import NoticeAcceptedV1, NoticeRefusedV1
from schemas.messages.requests import NoticeRequestedV1
from services.kernel.domain.addresses import normal
from services.kernel.domain.chain import GENESIS, Fact, Json, NotCanonical, canonical, data_hash, record
from services.kernel.domain.changes import Change, ContentStored, FactAppended, NoticeInserted
from services.kernel.domain.library import Library
from services.kernel.domain.notice import Channel, Event, Notice, Origin, State, move
from services.kernel.domain.trace import parse
from services.kernel.ledger import Clock, KnownRequest, RendererFacts
from services.kernel.ports import Ids
from services.kernel.runtime.decision import Decision, Quiet, announce, dead, done, later, refused
from services.kernel.runtime.items import Item
from services.kernel.runtime.judgement.request import Sender, Terms, difference, is_stranger, judge, judge_unread
from services.kernel.runtime.tracing import traceparent_of
from services.renderer.texts import PreparedText, Rendered, prepare

Pair = tuple[str, str]
REQUESTED = "notice.requested.v1"


class Renderer(Quiet):
    """Requests in, rendered notices out; a batch is one transaction."""

    consumer = "renderer"

    def __init__(self, library: Library, ids: Ids, *, batch: int) -> None:
        self.batch = batch
        self._library, self._ids = library, ids
        self._prepared = lru_cache(maxsize=None)(self._prepare)

    async def decide(self, tx: RendererFacts, items: Sequence[Item]) -> Sequence[Decision]:
        """One decision a request; those that are rendered share one `notice.rendered`."""
        pairs = [_pair(item) for item in items]
        known = await tx.known_requests(pairs)
        clock = await tx.clock()
        seen: set[Pair] = set()
        decisions: list[Decision] = []
        for item, pair in zip(items, pairs, strict=True):
            decisions.append(
                later("another request of this reference is in work", 0)
                if pair in seen
                else self._one(item, known.get(pair), clock)
            )
            seen.add(pair)
        return self._with_hop(decisions, clock)

    async def malformed(self, tx: RendererFacts, item: Item) -> Decision:
        """Upstream is told every fault, those of policy too, where it can be told who asked; else a dead letter."""
        envelope = item.envelope
        if envelope is None or envelope.type != REQUESTED or envelope.data == {}:
            return dead("; ".join(item.faults))
        sender, clock = Sender(envelope.source, item.user), await tx.clock()
        reasons = [*item.faults, *judge_unread(self._library, sender, envelope.data, item.faults, clock.legal)]
        reference = _reference(envelope.data.get("source_ref"))
        if reference and not is_stranger(self._library, sender):
            pair = (envelope.source, reference)
            reasons += _differences((await tx.known_requests([pair])).get(pair), envelope)
        return self._refuse(envelope, reference, reasons, sender, trial=clock.trial)

    def _one(self, item: Item, known: KnownRequest | None, clock: Clock) -> Decision:
        envelope, request = _sound(item)
        data = cast("dict[str, Json]", envelope.data)
        sender = Sender(envelope.source, item.user)
        try:
            hashed = data_hash(data)
        except NotCanonical as fault:
            return self._refuse(envelope, request.source_ref, [str(fault)], sender, trial=clock.trial)
        if known is not None and is_stranger(self._library, sender):
            known = None  # who asks may not see it; the judgement below refuses
        if known is not None and known.notice.data_hash == hashed:
            return done(_accepted(known.notice, known.content_hash))  # upstream may have missed the answer
        terms = judge(self._library, sender, request, clock.legal)
        if known is not None or isinstance(terms, list):
            reasons = [*_differences(known, envelope), *(terms if isinstance(terms, list) else ())]
            return self._refuse(envelope, request.source_ref, reasons, sender, trial=clock.trial)
        return self._render(envelope, request, terms, hashed, clock)

    def _refuse(
        self, envelope: Envelope, source_ref: str | None, reasons: list[str], sender: Sender, *, trial: bool
    ) -> Decision:
        told = NoticeRefusedV1(source_ref=source_ref, reasons=tuple(reason[:1000] for reason in reasons))
        event_id = f"{envelope.source}:{envelope.id}:refused"
        return refused(
            "; ".join(reasons),
            announce("notice.refused.v1", told, event_id=event_id, cause=envelope, trial=trial, to=envelope.source),
            strangers=is_stranger(self._library, sender),
            late=all(reason.startswith("respond_by: ") for reason in reasons),
        )

    def _render(
        self, envelope: Envelope, request: NoticeRequestedV1, terms: Terms, hashed: bytes, clock: Clock
    ) -> Decision:
        text = self._prepared(terms.template.regime, terms.template.name, terms.template.version, request.language)
        days = request.period.days if request.period else terms.notice_type.period_under(terms.regime).days
        rendered = text.render({**request.values, "response_days": str(days)})
        notice, facts = _born(self._ids.uuid7(), envelope, request, terms, hashed, rendered, clock)
        content = ContentStored(
            notice.notice_id,
            canonical(cast("dict[str, Json]", envelope.data)).decode(),
            rendered.subject,
            rendered.text,
            rendered.html,
            rendered.content_hash,
        )
        changes: list[Change] = [NoticeInserted(notice), content, *(FactAppended(fact) for fact in facts)]
        return done(*changes, _accepted(notice, rendered.content_hash))

    def _prepare(self, regime: str, name: str, version: str, language: str) -> PreparedText:
        return prepare(self._library.template(regime, name, version), language)

    def _with_hop(self, decisions: list[Decision], clock: Clock) -> list[Decision]:
        """Add one `notice.rendered` for all that this batch rendered, to the first decision that rendered any."""
        born = [
            change.notice.notice_id
            for made in decisions
            for change in made.changes
            if isinstance(change, NoticeInserted)
        ]
        if not born:
            return decisions
        hop = announce(
            "notice.rendered.v1",
            NoticeRenderedV1(notices=tuple(born)),
            event_id=str(self._ids.uuid7()),
            trial=clock.trial,
        )
        first = next(i for i, made in enumerate(decisions) if any(isinstance(c, NoticeInserted) for c in made.changes))
        decisions[first] = done(*decisions[first].changes, hop)
        return decisions


def _sound(item: Item) -> tuple[Envelope, NoticeRequestedV1]:
    if item.envelope is None or not isinstance(item.data, NoticeRequestedV1):
        raise TypeError(f"{item.type} is no request")
    return item.envelope, item.data


def _differences(known: KnownRequest | None, envelope: Envelope) -> list[str]:
    """How a request differs from the one that is known by its reference, if any is."""
    return [] if known is None else [difference(known.request, to_json(envelope.data).decode())]


def _pair(item: Item) -> Pair:
    envelope, request = _sound(item)
    return envelope.source, request.source_ref


def _reference(value: JsonValue) -> str | None:
    return value if isinstance(value, str) and 0 < len(value) <= 200 and value.isprintable() else None  # noqa: PLR2004


def _born(
    notice_id: UUID,
    envelope: Envelope,
    request: NoticeRequestedV1,
    terms: Terms,
    hashed: bytes,
    rendered: Rendered,
    clock: Clock,
) -> tuple[Notice, list[Fact]]:
    """A new notice, accepted and rendered in one transaction; its content is in the inbox from the commit on."""
    at = clock.legal
    notice = _notice(notice_id, envelope, request, terms, hashed, clock)
    notice, first = record(notice, "notice.accepted", at, envelope.source, _asked(envelope, request, hashed))
    notice = move(notice, Event.RENDER, at).but(content_available_at=at)
    pinned: dict[str, Json] = {
        "template": terms.template.name,
        "template_version": terms.template.version,
        "template_sha256": terms.template.content_hash.hex(),
        "content_sha256": rendered.content_hash.hex(),
    }
    notice, second = record(notice, "notice.rendered", at, "renderer", pinned)
    return notice, [first, second]


def _notice(
    notice_id: UUID, envelope: Envelope, request: NoticeRequestedV1, terms: Terms, hashed: bytes, clock: Clock
) -> Notice:
    period = request.period
    return Notice(
        notice_id=notice_id,
        source=envelope.source,
        source_ref=request.source_ref,
        data_hash=hashed,
        regime=request.regime,
        notice_type=request.notice_type,
        matter=request.matter or f"{envelope.source}/{request.source_ref}",
        business_id=request.business_id,
        channel=Channel(request.channel),
        origin=Origin(request.origin),
        language=request.language,
        address=normal(request.address),
        template_version=terms.template.version,
        template_hash=terms.template.content_hash,
        trial=clock.trial,
        state=State.ACCEPTED,
        seq=0,
        told=1,
        chain_head=GENESIS(notice_id),
        accepted_at=clock.legal,
        asked_days=period.days if period else None,
        asked_reason=period.reason if period else None,
        asked_approver=period.approver if period else None,
        respond_by=request.respond_by,
        traceparent=given.traceparent if (given := parse(envelope.traceparent)) else None,
    )


def _asked(envelope: Envelope, request: NoticeRequestedV1, hashed: bytes) -> dict[str, Json]:
    """The request as evidence: who asked for what, and who approved a shorter period and why."""
    asked: dict[str, Json] = {
        "event_id": envelope.id,
        "data_sha256": hashed.hex(),
        "requested_by": request.requested_by,
        "regime": request.regime,
        "notice_type": request.notice_type,
    }
    if request.period:
        asked |= {
            "period_days": request.period.days,
            "period_reason": request.period.reason,
            "period_approver": request.period.approver,
        }
    return asked


def _accepted(notice: Notice, content_hash: bytes) -> Change:
    """The answer to the request; the same id each time that it is given."""
    told = NoticeAcceptedV1(
        notice_id=notice.notice_id,
        source_ref=notice.source_ref,
        matter=notice.matter,
        template_version=notice.template_version,
        template_hash=notice.template_hash.hex(),
        content_hash=content_hash.hex(),
    )
    event_id = f"{notice.notice_id}:1"
    return announce(
        "notice.accepted.v1",
        told,
        event_id=event_id,
        notice_id=notice.notice_id,
        sequence=1,
        traceparent=traceparent_of(notice, event_id),
        trial=notice.trial,
        to=notice.source,
    )
