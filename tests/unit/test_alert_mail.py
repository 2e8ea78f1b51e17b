"""The alert: nothing in it but that something waits, and the same bytes at each attempt."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime, timedelta, timezone
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from email.utils import format_datetime
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.kernel.adapters.library import LibraryFault
from services.kernel.domain import verp
from services.kernel.domain.verp import Keyring
from services.notifier.alert import ECHOED, AlertSkeleton, check_alert, load_alerts, message_id, prepare_alert

SHIPPED = Path(__file__).parents[2] / "services" / "notifier" / "library" / "alert"
LANGUAGES = ("en", "cy")
NOON = datetime(2026, 11, 22, 12, 0, 5, tzinfo=UTC)
NOTICE = UUID("0198c0de-0000-7000-8000-000000000001")


def skeleton(language: str) -> AlertSkeleton:
    return prepare_alert(
        load_alerts(SHIPPED, LANGUAGES), language, authority="Tîm Goruchwylio", sender="no-reply@duly.example"
    )


def parsed(content: bytes) -> EmailMessage:
    mail = message_from_bytes(content, policy=default)
    assert isinstance(mail, EmailMessage)
    return mail


def built(language: str) -> bytes:
    return skeleton(language).build("owner@firm.example", message_id(NOTICE, "duly.example"), NOON)


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_alert_is_a_whole_mail_that_a_reader_understands(language: str) -> None:
    mail = parsed(built(language))
    assert mail["To"] == "owner@firm.example"
    assert mail["From"].addresses[0].display_name == "Tîm Goruchwylio"
    assert mail["Message-ID"] == f"<{NOTICE.hex}@duly.example>"
    assert mail["Date"].datetime == NOON
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["Content-Language"] == language
    assert "Precedence" not in mail
    assert mail.get_content_type() == "multipart/alternative"
    assert [part.get_content_type() for part in mail.iter_parts()] == ["text/plain", "text/html"]
    assert all(not part.defects for part in mail.walk())
    assert mail.get_all("MIME-Version") == ["1.0"]
    for part in mail.iter_parts():
        assert "Tîm Goruchwylio" in part.get_content()


def test_the_welsh_letters_arrive() -> None:
    text = parsed(built("cy")).get_body(("plain",))
    assert text is not None
    assert "peidiwch â'i dilyn" in text.get_content()
    assert parsed(built("cy"))["Subject"] == "Mae neges newydd yn eich mewnflwch diogel"


def test_the_mail_system_is_never_asked_to_keep_non_delivery_reports_back() -> None:
    suppressed = {each.strip() for each in str(parsed(built("en"))["X-Auto-Response-Suppress"]).split(",")}
    assert "OOF" in suppressed
    assert suppressed.isdisjoint({"NDR", "All"})


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_wire_form_has_only_crlf_short_lines_and_ascii(language: str) -> None:
    content = built(language)
    assert content.isascii()
    assert content.count(b"\n") == content.count(b"\r\n") == content.count(b"\r")
    assert max(map(len, content.split(b"\r\n"))) <= 200
    assert content.endswith(b"\r\n")


def test_an_alert_built_again_is_the_same_bytes() -> None:
    assert built("en") == built("en")
    other = UUID("0198c0de-0000-7000-8000-000000000002")
    assert message_id(other, "duly.example") != message_id(NOTICE, "duly.example")


@pytest.mark.parametrize("provider", sorted(ECHOED))
def test_the_header_that_a_provider_echoes_carries_the_attempts_token_and_nothing_else(provider: str) -> None:
    keys, attempt = Keyring({"k1": b"0123456789abcdef"}, "k1"), UUID(int=417)
    alerts = load_alerts(SHIPPED, LANGUAGES)
    with_echo = prepare_alert(
        alerts, "en", authority="Tîm Goruchwylio", sender="no-reply@duly.example", provider=provider
    )
    arguments = "owner@firm.example", message_id(NOTICE, "duly.example"), NOON, verp.token(attempt, keys)
    mail = parsed(with_echo.build(*arguments))
    plain = parsed(skeleton("en").build(*arguments))
    added = [name for name in mail if name not in plain]
    found = [each for name in added for each in verp.find(str(mail[name]), keys, "bounces.example.org")]
    assert found == ([] if provider == "ses" else [attempt])
    assert len(added) == len(found)
    assert all(len(str(mail[name])) <= 200 for name in added)
    assert str(plain.get_body(("plain",))) == str(mail.get_body(("plain",)))


@pytest.mark.parametrize(("provider", "header"), [("mailgun", "X-Mailgun-Variables"), ("sendgrid", "X-SMTPAPI")])
def test_a_header_that_should_be_json_is(provider: str, header: str) -> None:
    alerts = load_alerts(SHIPPED, LANGUAGES)
    made = prepare_alert(alerts, "en", authority="A", sender="no-reply@duly.example", provider=provider)
    told = json.loads(str(parsed(made.build("a@firm.example", "<a@duly.example>", NOON, "t" * 58))[header]))
    assert told in ({"duly": f"n-{'t' * 58}"}, {"unique_args": {"duly": f"n-{'t' * 58}"}})


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_shipped_alert_has_no_link_and_no_case_data_in_either_part(language: str) -> None:
    for part in parsed(built(language)).iter_parts():
        content = part.get_content().replace("<!DOCTYPE html>", "")
        assert "://" not in content
        assert "href" not in content
        assert "@" not in content
        assert not any(letter.isdigit() for letter in content.replace("utf-8", ""))


@given(st.datetimes(datetime(1990, 1, 1), datetime(2090, 1, 1)), st.integers(-14, 14))  # noqa: DTZ001 -- zone added below
def test_the_date_is_the_standard_librarys_in_utc(naive: datetime, hours: int) -> None:
    moment = naive.replace(microsecond=0, tzinfo=timezone(timedelta(hours=hours)))
    content = SKELETON.build("a@firm.example", "<a@duly.example>", moment)
    assert content.startswith(f"Date: {format_datetime(moment.astimezone(UTC))}\r\n".encode())


SKELETON = skeleton("en")


@pytest.mark.parametrize(
    "hostile",
    ["", "a@b.example\r\nBcc: x@y.example", "a@b.example\n", "a b@c.example", "é@firm.example", "a\x00@b.example"],
)
def test_nothing_that_could_end_a_header_line_is_built(hostile: str) -> None:
    with pytest.raises(ValueError, match="printable ASCII"):
        SKELETON.build(hostile, "<a@duly.example>", NOON)
    with pytest.raises(ValueError, match="printable ASCII"):
        SKELETON.build("a@firm.example", hostile, NOON)


def test_a_date_without_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="zone"):
        SKELETON.build("a@firm.example", "<a@duly.example>", NOON.replace(tzinfo=None))


@pytest.mark.parametrize(
    "text",
    [
        "Pay the fee of ((fee_amount)).",
        "Hello (( authority )).",
        "Go to https://duly.example/inbox",
        "Go to www.duly.example",
        "Go to duly.example now",
        "Go to *duly*.*example* now",
        "Go to duly&period;example now",
        "Go to duly&#46;example now",
        "Go to duly\\.example now",
        "Go to duly\uff0e\uff45\uff58ample now",
        "Go to duly。example now",
        "Go to du\u200bly and more",
        "[Sign in](/inbox)",
        "[Sign in][1]",
        "<a href=x>Sign in</a>",
        "href=inbox",
        "Write to help@duly",
        "<mailto:help>",
        "Case 2026/11873",
        "Your reference is XA-99812",
        "Your reference is X1Y2",
        "Call 020 7946 0958",
        "You owe £30",
        "You owe 30 €",
    ],
)
def test_an_alert_that_says_more_is_refused(text: str) -> None:
    assert check_alert(text) != []


@pytest.mark.parametrize(
    "text",
    [
        "((authority)) has sent you a message.",
        "Sign in, e.g. at 9 a.m. or 5 p.m.",
        "Within 24 hours.",
        "It's *here*. Read it.",
    ],
)
def test_plain_sentences_are_not_refused(text: str) -> None:
    assert check_alert(text) == []


@given(st.text(max_size=200))
def test_the_check_takes_any_text(text: str) -> None:
    assert isinstance(check_alert(text), list)


def test_an_alert_with_a_link_is_not_loaded_and_every_fault_is_placed(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(SHIPPED, tmp_path / "alert"))
    body = folder / "1" / "cy.md"
    body.write_text(body.read_text(encoding="utf-8") + "\nEwch i [yma](https://duly.example/x).\n", encoding="utf-8")
    meta = folder / "1" / "meta.yaml"
    meta.write_text(meta.read_text(encoding="utf-8").replace("secure inbox", "inbox at duly.example"), encoding="utf-8")
    with pytest.raises(LibraryFault) as refused:
        load_alerts(folder, LANGUAGES)
    places = {(each.file.name, each.field) for each in refused.value.faults}
    assert {("cy.md", ""), ("meta.yaml", "subjects.en")} <= places


@pytest.mark.parametrize("authority", ["", " ", "Duly.example", "A\r\nBcc: x", "((authority))", "Team 20261"])
def test_an_authority_whose_name_says_more_than_a_name_is_refused(authority: str) -> None:
    template = load_alerts(SHIPPED, LANGUAGES)
    with pytest.raises(ValueError, match="authority's name"):
        prepare_alert(template, "en", authority=authority, sender="no-reply@duly.example")
