"""What providers' events prove: the corpus, their documentation's cases, and anything else that comes as JSON."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.bounces.callbacks import read_event
from services.bounces.classify import Classification
from services.callbacks.reading import elements, texts_of
from services.kernel.domain import verp
from services.kernel.domain.verp import Keyring

CORPUS = Path(os.environ.get("DULY_CORPUS", Path(__file__).parents[2].parent / "shared" / "corpus")) / "webhooks"
SOURCES = {"amazon_ses": "ses", "mailgun": "mailgun", "sendgrid": "sendgrid", "postmark": "postmark"}
KINDS = {"bounce-permanent": "final", "delivered/relayed": "delivered"}
KEYS = Keyring({"k1": b"0123456789abcdef"}, "k1")
DOMAIN = "bounces.example.org"
RECIPIENTS = {
    "amazon_ses__bounce_event.json": ("jane@example.com",),
    "amazon_ses__multiple_bounce_event.json": ("jane@example.com", "richard@example.com"),
    "amazon_ses__reject_event.json": ("recipient@example.com",),
    "amazon_ses__rendering_failure_event.json": ("recipient@example.com",),
    "mailgun__alt_smtp_code.json": ("noreply@example.com",),
    "mailgun__dropped_bounce.json": ("bounce@example.com",),
    "mailgun__dropped_spam.json": ("complaint@example.com",),
    "mailgun__dropped_timed_out.json": ("complaint@example.com",),
    "mailgun__failed_permanent_event.json": ("invalid@example.com",),
    "mailgun__invalid_mailbox.json": ("noreply@example.com",),
    "mailgun__rejected_event.json": ("recipient@example.org",),
    "postmark__bounce_event.json": ("bounce@example.com",),
    "postmark__subscription_change_bounce.json": ("john@example.com",),
    "sendgrid__bounce_event.json": ("noreply@example.com",),
    "sendgrid__dropped_bounced.json": ("example@example.com",),
    "sendgrid__dropped_invalid_event.json": ("invalid@invalid",),
    "sendgrid__dropped_unsubscribed_event.json": ("unsubscribe@example.com",),
}
"""Whom each final event of the corpus names, read by hand."""


def _labelled() -> list[tuple[str, str, bytes, str]]:
    labels = CORPUS / "anymail" / "labels.jsonl"
    if not labels.exists():
        return []
    rows = [json.loads(line) for line in labels.read_text().splitlines()]
    ours = [row for row in rows if row["provider"] in SOURCES]
    return [
        (row["file"], SOURCES[row["provider"]], (labels.parent / row["file"]).read_bytes(), row["kind"]) for row in ours
    ]


LABELLED = _labelled()
corpus = pytest.mark.skipif(not LABELLED, reason="no corpus (DULY_CORPUS)")


def read(source: str, told: object) -> Classification:
    return read_event(source, json.dumps(told).encode())


def pieces(source: str, body: bytes) -> list[bytes]:
    return [written for written, _ in elements(body)] if source == "sendgrid" else [body]


@corpus
@pytest.mark.parametrize(("name", "source", "body", "kind"), LABELLED, ids=[row[0] for row in LABELLED])
def test_every_event_of_the_corpus_is_of_the_right_kind(name: str, source: str, body: bytes, kind: str) -> None:
    (piece,) = pieces(source, body)
    report = read_event(source, piece)
    assert report.verdict == KINDS.get(kind, kind)
    assert report.recipients == RECIPIENTS.get(name, ())


@corpus
@pytest.mark.parametrize(("name", "source", "body", "kind"), LABELLED, ids=[row[0] for row in LABELLED])
def test_our_token_is_found_wherever_the_provider_echoes_it(name: str, source: str, body: bytes, kind: str) -> None:
    del name, kind
    attempt = uuid4()
    token = verp.token(attempt, KEYS)
    (piece,) = pieces(source, body)
    told = _echoed(source, json.loads(piece), token)
    found = [each for text in texts_of(told) for each in verp.find(text, KEYS, DOMAIN)]
    assert found == [attempt]


def _echoed(source: str, told: dict[str, Any], token: str) -> dict[str, Any]:
    """The event with our token where this provider puts it."""
    if source == "ses":
        return {**told, "mail": {**told["mail"], "source": verp.envelope_sender(token, DOMAIN)}}
    if source == "mailgun":
        event = told.get("event-data", told)
        return {**told, "event-data": {**event, "user-variables": {"duly": f"n-{token}"}}}
    return {**told, "duly": f"n-{token}"} if source == "sendgrid" else {**told, "Metadata": {"duly": f"n-{token}"}}


@corpus
def test_messages_of_ses_say_the_same_inside_and_outside_their_envelope() -> None:
    said = {}
    for path in sorted((CORPUS / "warehouse").glob("*.json")):
        report = read_event("ses", path.read_bytes())
        said[path.stem.rpartition("_")[0] or path.stem] = report.verdict.value
    assert said == {
        "bounce": "final",
        "delivery": "delivered",
        "returns_400_unknown_type": "other",
        "returns_400_when_unknown_message": "other",
        "soft_bounce": "unclear",
        "soft_bounce_to_deliver": "delivered",
        "spam_complaint": "complaint",
    }


def test_a_complaint_that_suppressed_the_mail_is_final_as_it_was_never_sent() -> None:
    complaint = {
        "complaintSubType": "OnAccountSuppressionList",
        "complainedRecipients": [{"emailAddress": "A@b.example"}],
    }
    for kind in ("notificationType", "eventType"):
        report = read_event("ses", json.dumps({kind: "Complaint", "complaint": complaint}).encode())
        assert (report.verdict.value, report.recipients) == ("final", ("a@b.example",))
        assert report.reasons == ("permanent: ses Complaint OnAccountSuppressionList, never sent",)
    complaint["complaintSubType"] = None
    report = read_event("ses", json.dumps({"eventType": "Complaint", "complaint": complaint}).encode())
    assert report.verdict.value == "complaint"


def _ses(kind: str, subtype: str) -> dict[str, Any]:
    bounced = [{"emailAddress": "Owner@Business.Example"}]
    return {
        "notificationType": "Bounce",
        "bounce": {"bounceType": kind, "bounceSubType": subtype, "bouncedRecipients": bounced},
    }


@pytest.mark.parametrize(
    ("kind", "subtype", "verdict", "lasts"),
    [
        ("Permanent", "General", "final", "permanent"),
        ("Permanent", "NoEmail", "final", "permanent"),
        ("Permanent", "Suppressed", "final", "permanent"),
        ("Permanent", "OnAccountSuppressionList", "final", "permanent"),
        ("Transient", "MailboxFull", "final", "transient"),
        ("Transient", "MessageTooLarge", "final", "transient"),
        ("Transient", "ContentRejected", "final", "transient"),
        ("Transient", "General", "unclear", "ses"),
        ("Transient", "SomethingNew", "unclear", "ses"),
        ("Undetermined", "Undetermined", "unclear", "ses"),
        ("SomethingNew", "General", "unclear", "ses"),
    ],
)
def test_a_bounce_of_ses_is_final_only_where_ses_says_what_happened(
    kind: str, subtype: str, verdict: str, lasts: str
) -> None:
    report = read("ses", _ses(kind, subtype))
    assert report.verdict == verdict
    assert report.recipients == (("owner@business.example",) if verdict == "final" else ())
    assert report.reasons[0].startswith(lasts)


def test_a_delay_of_ses_is_no_failure() -> None:
    told = {"eventType": "DeliveryDelay", "deliveryDelay": {"delayType": "MailboxFull"}}
    assert read("ses", told).verdict == "delayed"


@pytest.mark.parametrize(
    ("more", "verdict", "reason"),
    [
        ({"type": "bounce", "status": "5.1.1"}, "final", "permanent"),
        ({"type": "blocked", "status": "4.2.2"}, "final", "transient"),
        ({"type": "blocked"}, "final", "transient"),
        ({}, "final", "permanent"),
        ({"type": "something-new"}, "unclear", "event"),
    ],
)
def test_a_bounce_of_sendgrid_is_final_for_this_message(more: dict[str, str], verdict: str, reason: str) -> None:
    report = read("sendgrid", {"event": "bounce", "email": "owner@business.example", **more})
    assert report.verdict == verdict
    assert report.reasons[0].startswith(reason)


@pytest.mark.parametrize(
    ("kind", "name", "verdict"),
    [
        ("HardBounce", "Hard bounce", "final"),
        ("SoftBounce", "Soft bounce", "final"),
        ("Blocked", "ISP block", "final"),
        ("ManuallyDeactivated", "Manually deactivated", "final"),
        ("Transient", "Undeliverable", "final"),
        ("Transient", "Message delayed", "unclear"),
        ("DnsError", "DNS error", "unclear"),
        ("ChallengeVerification", "Spam challenge verification", "unclear"),
        ("AutoResponder", "Auto responder", "unclear"),
        ("SpamNotification", "Spam notification", "unclear"),
        ("Unknown", "Unknown", "unclear"),
        ("SomethingNew", "", "unclear"),
        ("SpamComplaint", "Spam complaint", "complaint"),
        ("Subscribe", "Subscribe request", "other"),
    ],
)
def test_a_bounce_of_postmark_is_what_its_documentation_says(kind: str, name: str, verdict: str) -> None:
    told = {"RecordType": "Bounce", "Type": kind, "Name": name, "Email": "owner@business.example"}
    assert read("postmark", told).verdict == verdict


def test_a_bounce_of_postmark_without_its_name_goes_by_its_number() -> None:
    assert read("postmark", {"RecordType": "Bounce", "TypeCode": 100006, "Email": "a@b.example"}).verdict == "final"


def test_a_failure_of_mailgun_without_its_severity_is_unclear() -> None:
    assert read("mailgun", {"event-data": {"event": "failed", "recipient": "a@b.example"}}).verdict == "unclear"


@pytest.mark.parametrize(
    ("kind", "verdict"),
    [
        ("permanent", "final"),
        ("transient-final", "final"),
        ("delayed", "delayed"),
        ("complaint", "complaint"),
        ("delivered", "delivered"),
        ("unclear", "unclear"),
        ("other", "other"),
        ("bounced", "unclear"),
        ("", "unclear"),
    ],
)
def test_every_kind_of_our_own_form_means_what_it_says(kind: str, verdict: str) -> None:
    report = read("generic/relay", {"id": "1", "kind": kind, "recipient": "<Owner@Business.example>"})
    assert report.verdict == verdict
    assert report.original_recipients == ("owner@business.example",)


@pytest.mark.parametrize("source", ["ses", "mailgun", "sendgrid", "postmark"])
def test_an_unknown_event_that_speaks_of_failure_is_unclear_and_another_is_not(source: str) -> None:
    name = {"ses": "eventType", "mailgun": "event", "sendgrid": "event", "postmark": "RecordType"}[source]
    assert read(source, {name: "Expired"}).verdict == "unclear"
    assert read(source, {name: "Noted", "reject": {"reason": "x"}}).verdict == "unclear"
    assert read(source, {name: "Noted"}).verdict == "other"


def test_what_comes_from_a_provider_that_is_not_known_is_unclear() -> None:
    assert read("elsewhere", {"event": "delivered"}).verdict == "unclear"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)
known_names = st.sampled_from(
    """
    event event-data bounce bounceType mail Message Type email reason recipient kind notificationType destination
    bouncedRecipients RecordType TypeCode message headers to
    """.split()  # noqa: SIM905 -- read as prose
)
words = st.sampled_from(
    ["Bounce", "bounce", "failed", "permanent", "Transient", "x@y.example", "\x00", "\ud800", "5.1.1"]
)


@given(
    st.sampled_from([*SOURCES.values(), "generic/a", "", "x"]),
    st.dictionaries(known_names, json_values | words | st.lists(words, max_size=3)),
)
def test_no_event_is_beyond_reading_and_no_reason_holds_content(source: str, told: dict[str, Any]) -> None:
    report = read(source, told)
    assert all(reason.isascii() and reason.isprintable() for reason in report.reasons)
    assert all(address.isprintable() and "@" in address for address in report.recipients)


@given(st.binary(max_size=200))
def test_no_bytes_are_beyond_reading(body: bytes) -> None:
    assert read_event("ses", body).verdict in {"unclear", "other"}
