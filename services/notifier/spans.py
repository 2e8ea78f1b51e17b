"""The span of one hand-over of an alert to the mail system, in its notice's trace."""

from __future__ import annotations

from services.kernel.domain.notice import Notice
from services.kernel.domain.replies import SendVerdict
from services.kernel.domain.trace import span_in
from services.kernel.ports import Span
from services.kernel.runtime.tracing import Attributes, root, told
from services.notifier.settle import Settled


def handed_over(settled: Settled, notice: Notice) -> None:
    """What the mail system said is about to be committed; what is told of the notice hangs below the hand-over."""
    open_now, first = told(), root(notice.notice_id, notice.traceparent)
    if open_now is None or first is None or not first.sampled:
        return
    claim, reply, verdict = settled.claim, settled.reply, settled.judgement.verdict
    attributes: Attributes = {
        "duly.notice_id": str(notice.notice_id),
        "duly.attempt": claim.tries,
        "duly.outcome": verdict.name.lower(),
        "duly.smtp.phase": reply.phase.value,
        "duly.smtp.enhanced": reply.enhanced,
        **({"duly.smtp.code": reply.code} if reply.code is not None else {}),
    }
    context = span_in(first, "hand over", str(claim.attempt_id))
    fault = "" if verdict is SendVerdict.ACCEPTED else verdict.name.lower()
    span = Span("hand over alert", "client", context, first, settled.began, settled.ended, attributes, fault=fault)
    open_now.did(span, notice.notice_id)
