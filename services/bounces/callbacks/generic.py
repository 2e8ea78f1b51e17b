"""Any other provider, in our own form: see `services/callbacks/README.md`."""

from __future__ import annotations

from services.bounces.callbacks.shapes import Told, code, judged, text
from services.bounces.classify import Classification
from services.kernel.domain.evidence import Verdict

_KINDS = {
    "permanent": Verdict.FINAL,
    "transient-final": Verdict.FINAL,
    "delayed": Verdict.DELAYED,
    "complaint": Verdict.COMPLAINT,
    "delivered": Verdict.DELIVERED,
    "unclear": Verdict.UNCLEAR,
    "other": Verdict.OTHER,
}


def read(told: Told) -> Classification:
    """What the event proves; a kind that is not in the form is unclear."""
    kind, status = text(told, "kind"), text(told, "status")
    reason = f"{code(kind)}: {code(status)}" if status else code(kind)
    verdict = _KINDS.get(kind, Verdict.UNCLEAR)
    return judged(verdict, reason, [text(told, "recipient")], text(told, "message_id"))
