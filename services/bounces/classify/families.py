"""Reports that keep to no standard: what the envelope, the subject and the words say together.

Words alone never make a failure: ordinary mail quotes reports. It takes a reporter's envelope or subject, and words
that speak of failure and not of delay.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from services.bounces.classify.mime import Part
from services.bounces.classify.phrases import (
    ABOUT_A_MESSAGE,
    DELAY_SUBJECT,
    DELAY_WORDS,
    FAILURE_SUBJECT,
    FINAL_WORDS,
    HARD_WORDS,
    REFUSAL_LINE,
    REPORTING_SENDER,
    RETURNED_SUBJECT,
    STATED_FAILURE_SUBJECT,
    STATISTICS_SUBJECT,
    STRONG_FAILURE_SUBJECT,
    SUCCESS_SUBJECT,
    SUCCESS_WORDS,
)
from services.bounces.classify.replies import is_challenge
from services.bounces.classify.text import fold, header_text
from services.kernel.domain.evidence import Verdict

LONGEST_WORDS = 1600
LAST_WORDS = 400
PERMANENT = "permanent failure in words"
# Sender or subject alone; a null return path, which replies have as well, needs stronger words.
_ENOUGH = 2
_NULL_PATH = re.compile(r"^\s*(?:<\s*>|<?mailer-daemon\b.*)\s*$", re.IGNORECASE)
_TRANSIENT_SECTION = re.compile(
    r"^[ \t]*-{1,20} the following addresses had transient [^\n]*\n(?:(?![ \t]*-{3})[^\n]*\n)*",
    re.IGNORECASE | re.MULTILINE,
)
_FAILED_SECTION = re.compile(r"following addresses (?:had (?:permanent )?(?:fatal|delivery))", re.IGNORECASE)

_REACHED_SECTION = re.compile(
    r"^(?![^\n]*(?:not\b|n't|fail|unable))[^@\n]{0,80}\b(?:success\w*|received (?:your|the|this) (?:message|e?-?mail)"
    r"|(?:was|were|(?:has|have) been) delivered to)\b[^@\n]{0,80}\n(?:[ \t]*\n|[^\n]*@[^\n]*(?:\n|\Z))+",
    re.IGNORECASE | re.MULTILINE,
)

_QUOTED_LINE = re.compile(r"^> ?(?!>).*$", re.MULTILINE)
# What would happen if something else happened did not happen.
_CONDITION = re.compile(
    r"\b(?:if|unless|wenn|falls|sobald)\s[^.\n]{0,200}(?:\n[^.\n]{1,200})?\.(?=\s|\Z)", re.IGNORECASE
)
# A report repeats the subject of the returned message, whose words are not the reporter's.
_REPEATED_SUBJECT = re.compile(
    r"^[ \t>*]*(?:subject|betreff|objet|sujet|asunto|assunto|oggetto|onderwerp|тема|件名|主题|主旨|제목)[ \t]*[::].*$",
    re.IGNORECASE | re.MULTILINE,
)


@dataclass(frozen=True, slots=True)
class Envelope:
    """What sender, path and subject say about a mail being a report."""

    sender: bool
    null_path: bool
    subject: bool
    report_type: bool
    delay_subject: bool
    strong_subject: bool
    returned_subject: bool
    success_subject: bool
    statistics: bool
    daemon: bool
    own_subject: str

    @property
    def states_failure(self) -> bool:
        """Whether the subject alone says that something was not delivered, and not that it may be."""
        if self.delay_subject or self.success_subject or self.statistics:
            return False
        return STATED_FAILURE_SUBJECT.search(self.own_subject)

    @property
    def returns(self) -> bool:
        """Whether it comes from nobody and its subject begins with a return."""
        return self.null_path and bool(RETURNED_SUBJECT.match(self.own_subject))

    @property
    def weight(self) -> int:
        """From 0 (nothing says report) to 7."""
        return 2 * self.sender + self.null_path + 2 * self.subject + 2 * self.report_type

    @property
    def speaks(self) -> bool:
        """Whether more than a null return path, which replies have as well, says report."""
        return self.sender or self.subject or self.report_type


def envelope_of(mail: Part) -> Envelope:
    """Reads sender, path, subject and type; decides nothing."""
    sender = fold(header_text(mail.header("from"))).strip()
    subject = fold(header_text(mail.header("subject")))[:300]
    told, colon, _ = subject.partition(":")
    own_subject = told if colon and FAILURE_SUBJECT.search(told) else subject
    return Envelope(
        sender=bool(REPORTING_SENDER.search(sender)) or sender.endswith("<>"),
        null_path=any(_NULL_PATH.match(path) for path in mail.all("return-path")),
        subject=bool(FAILURE_SUBJECT.search(subject)),
        report_type=mail.content_type == "multipart/report",
        delay_subject=bool(DELAY_SUBJECT.search(own_subject)),
        strong_subject=bool(STRONG_FAILURE_SUBJECT.search(subject)),
        returned_subject=bool(RETURNED_SUBJECT.search(own_subject)),
        success_subject=bool(SUCCESS_SUBJECT.search(own_subject)),
        statistics=bool(STATISTICS_SUBJECT.search(own_subject)),
        daemon="mailer-daemon" in sender or "mdaemon" in sender or sender.endswith("<>"),
        own_subject=own_subject,
    )


def permanent_sections(text: str) -> str:
    """Sendmail lists permanent and transient failures in one mail: the text without the transient section."""
    return _TRANSIENT_SECTION.sub("", text) if _FAILED_SECTION.search(text) else text


def unreached(text: str) -> str:
    """The text without the lists of those whom the message reached."""
    return _REACHED_SECTION.sub("", permanent_sections(text))


def is_delay(text: str, envelope: Envelope) -> bool:
    """Whether the reporter's words speak of delay, and of no permanent failure."""
    words = _words(text)
    return (envelope.delay_subject or DELAY_WORDS.search(words)) and not HARD_WORDS.search(words)


def judge(text: str, envelope: Envelope) -> tuple[Verdict, tuple[str, ...]]:
    """What the reporter's words prove.

    Returns:
        Final, delayed, delivered, unclear, or other where the words tell nothing; and the reasons.
    """
    words = _words(text)
    hard = bool(HARD_WORDS.search(words))
    if envelope.delay_subject or DELAY_WORDS.search(words):
        both = hard or (envelope.returned_subject and not envelope.delay_subject)
        return (Verdict.UNCLEAR, ("words of delay and of failure",)) if both else (Verdict.DELAYED, ("words of delay",))
    if envelope.success_subject and not hard:
        return Verdict.DELIVERED, ("subject of success",)
    refused = hard or bool(REFUSAL_LINE.search(words))
    if not (refused or FINAL_WORDS.search(words)):
        told = SUCCESS_WORDS.search(words)
        return (Verdict.DELIVERED, ("words of success",)) if told else (Verdict.OTHER, ())
    return _failure(words, envelope, hard=hard, refused=refused)


def _failure(words: str, envelope: Envelope, *, hard: bool, refused: bool) -> tuple[Verdict, tuple[str, ...]]:
    """Words of failure: whether they are plain, and a reporter's."""
    if is_challenge(words) and not hard:
        return Verdict.UNCLEAR, ("asks the sender to act",)
    if SUCCESS_WORDS.search(words) and not refused:
        return Verdict.UNCLEAR, ("words of success and of failure",)
    if envelope.weight >= _ENOUGH or (envelope.weight and refused):
        return Verdict.FINAL, (PERMANENT if hard else "failure in words",)
    return Verdict.UNCLEAR, ("words of failure from no reporter",)


def is_about_a_message(text: str) -> bool:
    """Whether the reporter speaks to the sender of a message, or shows how it was refused."""
    return ABOUT_A_MESSAGE.search(_words(text))


def unquoted(text: str) -> str:
    """The text without the lines that it quotes: who answers a report is no reporter."""
    return _QUOTED_LINE.sub("", text)


def _words(text: str) -> str:
    """The beginning of the text, and its end, where long lists are followed by what becomes of them."""
    if len(text) > 2 * LONGEST_WORDS:
        text = f"{text[: 2 * LONGEST_WORDS - LAST_WORDS]}\n{text[-LAST_WORDS:]}"
    words = " ".join(_CONDITION.sub("", _REPEATED_SUBJECT.sub("", text)).split())
    if len(words) > LONGEST_WORDS:
        words = f"{words[: LONGEST_WORDS - LAST_WORDS]} {words[-LAST_WORDS:]}"
    return fold(words)
