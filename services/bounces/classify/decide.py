"""The order of the voices: complaint, standard report, reply, Exim's header, families, flufl. Doubt is `unclear`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from services.bounces.classify import arf, families, replies, report
from services.bounces.classify.addresses import NAMED, ON_LINES, addresses_in, failed_addresses, local_names
from services.bounces.classify.classification import Classification
from services.bounces.classify.flufl import flufl_failures
from services.bounces.classify.mime import Part, parse, parse_headers
from services.bounces.classify.phrases import OPEN_END
from services.bounces.classify.text import fold, told_by
from services.kernel.domain.evidence import Verdict

_ORDER = (("failed", Verdict.FINAL), ("delayed", Verdict.DELAYED), ("delivered", Verdict.DELIVERED))
# From this weight on, sender and subject both say that it is a report.
_SURELY_A_REPORT = 4


@dataclass(frozen=True, slots=True)
class _Opened:
    """One mail, read once: its structure, its reporter's words and the returned message's headers."""

    mail: Part
    envelope: families.Envelope
    text: str
    returned: dict[str, str]
    has_status: bool

    @property
    def original_recipients(self) -> tuple[str, ...]:
        return addresses_in(self.returned.get("to", ""))

    @property
    def receivers(self) -> frozenset[str]:
        """Whom the report was sent to."""
        return frozenset(addresses_in(self.mail.header("to")))

    @property
    def senders(self) -> frozenset[str]:
        """Whom the report was sent to and who sent it: named in reports, but not as failed."""
        told = [self.mail.header(name) for name in ("from", "sender", "delivered-to", "x-original-to")]
        told += [self.returned.get(name, "") for name in ("from", "return-path", "sender", "reply-to")]
        return self.receivers.union(address for value in told for address in addresses_in(value))


_Answer = tuple[Verdict, tuple[str, ...], tuple[str, ...]]


def classify(raw: bytes) -> Classification:
    """Decides what a mail proves about the delivery of an earlier one (RFC 3464, RFC 3834, RFC 5965). Never raises.

    Args:
        raw: The mail as it came, headers and body; any bytes.
    """
    try:
        return _classify(raw)
    except Exception as error:  # noqa: BLE001 - a mail that cannot be read is a person's matter, never a crash
        return Classification(Verdict.UNCLEAR, reasons=(f"cannot be read: {type(error).__name__}",))


def _classify(raw: bytes) -> Classification:
    mail = parse(raw)
    envelope = families.envelope_of(mail)
    if arf.is_complaint(mail):
        named = arf.complained_recipients(mail)
        returned = _headers(told_by(mail).returned)
        return _result(Verdict.COMPLAINT, (), ("feedback report",), returned, named)
    status = report.status_parts(mail)
    if not (status or envelope.weight or replies.is_receipt(mail) or mail.header("x-failed-recipients")):
        return _without_envelope(mail)
    told = told_by(mail)
    opened = _Opened(mail, envelope, told.words, _headers(told.returned), bool(status))
    reports = _reports(opened, status)
    verdict, recipients, reasons = _standard(opened, reports) or _reply(opened) or _told(opened, reports)
    named = tuple(r.original for r in reports if r.original) + opened.original_recipients
    return _result(verdict, recipients, reasons, opened.returned, named)


def _without_envelope(mail: Part) -> Classification:
    """Nothing in the headers says report: its words are not even read."""
    if replies.is_auto_reply(mail):
        return Classification(Verdict.AUTO_REPLY, reasons=("automatic reply",))
    return Classification(Verdict.OTHER, reasons=("no report",))


def _reports(opened: _Opened, status: str) -> tuple[report.RecipientReport, ...]:
    """The recipients' fields; where no part is declared to hold them, those in any part of a mail system's mail."""
    declared = status or report.receipt_fields(opened.mail)
    found = report.recipient_reports(declared) if declared else ()
    envelope = opened.envelope
    if found or not (envelope.sender or envelope.report_type or (envelope.subject and envelope.null_path)):
        return found
    texts = (opened.text, *report.undeclared(opened.mail))
    return next((report.recipient_reports(text) for text in texts if report.fields_in_text(text)), ())


def _standard(opened: _Opened, reports: tuple[report.RecipientReport, ...]) -> _Answer | None:
    """RFC 3464: one failed recipient makes the report final, for the failed ones only."""
    forwarded = replies.is_conversation(opened.mail) or (opened.mail.header("from") and not opened.envelope.weight)
    if reports and forwarded and opened.mail.content_type != "multipart/report":
        return Verdict.UNCLEAR, (), ("report forwarded by a person",)
    for outcome, verdict in _ORDER:
        told = [r for r in reports if r.outcome == outcome]
        if told:
            reasons = tuple(
                dict.fromkeys(f"action {r.action or 'missing'}, status {r.status or 'missing'}" for r in told)
            )
            failed = tuple(r.address for r in told if r.address) if verdict is Verdict.FINAL else ()
            return verdict, failed or (_failed(opened) if verdict is Verdict.FINAL else ()), reasons
    if replies.is_receipt(opened.mail) and not opened.has_status and not replies.is_refusal(opened.text):
        return Verdict.DELIVERED, (), ("disposition notification",)
    return None


def _reply(opened: _Opened) -> _Answer | None:
    """A responder's answer, unless sender, subject or Exim's header say that a mail system speaks."""
    envelope = opened.envelope
    if envelope.subject or envelope.report_type or opened.mail.header("x-failed-recipients"):
        return None
    if replies.has_reply_subject(opened.mail) or (replies.is_marked_reply(opened.mail) and not envelope.sender):
        return Verdict.AUTO_REPLY, (), ("automatic reply",)
    return None


def _told(opened: _Opened, reports: tuple[report.RecipientReport, ...]) -> _Answer:
    """No action was told: Exim's header, then the words."""
    mail, envelope = opened.mail, opened.envelope
    text = families.permanent_sections(opened.text if envelope.daemon else families.unquoted(opened.text))
    listed = addresses_in(", ".join(mail.all("x-failed-recipients")))
    if listed and not families.is_delay(text, envelope):
        return Verdict.FINAL, listed, ("X-Failed-Recipients",)
    verdict, reasons = families.judge(text, envelope)
    if replies.is_conversation(mail) and not envelope.sender:
        return (Verdict.UNCLEAR if verdict is Verdict.FINAL else Verdict.OTHER), (), ("conversation",)
    if verdict is Verdict.OTHER:
        return _unknown_words(opened, text)
    if verdict is not Verdict.FINAL:
        return verdict, (), reasons
    if not (reports or opened.returned or _is_convincing(opened, text, hard=families.PERMANENT in reasons)):
        return Verdict.UNCLEAR, (), ("neither an address nor a message is named", *reasons)
    return verdict, tuple(r.address for r in reports if r.address) or _failed(opened), reasons


def _is_convincing(opened: _Opened, text: str, *, hard: bool) -> bool:
    """Whether words of failure come from a reporter and are about a message of ours.

    Tickets and statistics quote reports, shops return goods, and who asks for passwords poses as a mail system, though
    seldom as the daemon itself.
    """
    envelope = opened.envelope
    if opened.has_status or (envelope.daemon and (hard or envelope.weight >= _SURELY_A_REPORT)):
        return True
    if envelope.statistics or not envelope.speaks:
        return False
    if not envelope.sender and not envelope.null_path:
        return False
    about = envelope.returns or (envelope.sender and (envelope.strong_subject or envelope.null_path))
    return (about or families.is_about_a_message(f"{envelope.own_subject}\n{text}")) and _surely_named(opened, text)


def _unknown_words(opened: _Opened, text: str) -> _Answer:
    """The words tell nothing: flufl may know them, or the subject says it."""
    surely = opened.envelope.weight >= _SURELY_A_REPORT
    asked = surely and not (replies.is_marked_reply(opened.mail) or opened.envelope.statistics)
    if heard := flufl_failures(opened.mail) if asked else ():
        return Verdict.FINAL, heard, ("flufl and envelope",)
    if _subject_tells(opened, text):
        return Verdict.FINAL, _failed(opened), ("failure in subject",)
    if surely:
        return Verdict.UNCLEAR, (), ("a report whose words are not known",)
    return Verdict.OTHER, (), ("no report",)


def _subject_tells(opened: _Opened, text: str) -> bool:
    """Whether a report whose words are not known says in its subject that it failed, and for whom in its words."""
    envelope = opened.envelope
    from_nobody = envelope.null_path and not envelope.own_subject.startswith("[")
    if not ((envelope.sender or from_nobody) and envelope.states_failure):
        return False
    words = fold(f"{envelope.own_subject} {text}")
    if replies.is_marked_reply(opened.mail) or replies.is_challenge(words) or OPEN_END.search(words):
        return False
    return bool(failed_addresses(text, opened.receivers, ON_LINES))


def _failed(opened: _Opened) -> tuple[str, ...]:
    """The failed addresses by the reporter's words; else by flufl; else the one recipient of the returned message."""
    told = failed_addresses(families.unreached(opened.text), opened.senders)
    if told := told or _local_names(opened):
        return told
    subject = [a for a in addresses_in(opened.mail.header("subject")) if a not in opened.senders]
    only = opened.original_recipients if len(opened.original_recipients) == 1 else ()
    return tuple(subject) or flufl_failures(opened.mail) or only


def _surely_named(opened: _Opened, text: str) -> bool:
    if _local_names(opened) or failed_addresses(text, opened.receivers, NAMED):
        return True
    return not opened.receivers.issuperset(addresses_in(opened.mail.header("subject")))


def _local_names(opened: _Opened) -> tuple[str, ...]:
    reporter = addresses_in(opened.mail.header("from"))
    return local_names(opened.text, reporter[0]) if reporter and opened.envelope.sender else ()


def _headers(returned: bytes) -> dict[str, str]:
    return dict(reversed(parse_headers(returned.split(b"\n\n", 1)[0])))


def _result(
    verdict: Verdict,
    recipients: Iterable[str],
    reasons: tuple[str, ...],
    returned: dict[str, str],
    named: Iterable[str],
) -> Classification:
    return Classification(
        verdict=verdict,
        recipients=tuple(sorted(set(recipients))),
        reasons=reasons,
        original_message_id=returned.get("message-id") or None,
        original_recipients=tuple(sorted({*named, *recipients})),
    )
