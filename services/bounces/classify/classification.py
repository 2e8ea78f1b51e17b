"""What a mail proves about the delivery of an earlier one."""

from __future__ import annotations

from dataclasses import dataclass

from services.kernel.domain.evidence import Verdict


@dataclass(frozen=True, slots=True)
class Classification:
    """What a mail proves, for whom, and why.

    Attributes:
        verdict: Final only on evidence that the message was not and will not be delivered.
        recipients: The addresses that finally failed, lower case, sorted; as the sender knew them
            where the report says.
        reasons: What was found, in the order of its weight; codes and families, never the mail's content.
        original_message_id: The Message-ID of the returned message, with its angle brackets, if the mail tells it.
        original_recipients: Every address that the mail names as a recipient of the returned message, lower case,
            sorted.
    """

    verdict: Verdict
    recipients: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    original_message_id: str | None = None
    original_recipients: tuple[str, ...] = ()
