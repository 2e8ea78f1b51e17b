"""Reports whose structure is broken, odd or lost: what can be read of them is read, and no more than it says."""
# ruff: noqa: E501 - mails stand as they are sent

from __future__ import annotations

import base64
import quopri

import pytest

from services.bounces.classify import classify

WORDS = "This is an automatic report.\nYour message could not be delivered.\n"
NAMED = f"{WORDS}\n<lost@firm.example>: 550 no such user\n"
STATUS = (
    "Reporting-MTA: dns; mx.example.net\nArrival-Date: Tue, 3 Mar 2026 10:00:00 +0000\n\n"
    "Final-Recipient: rfc822; lost@firm.example\nAction: failed\nStatus: 5.1.1\nDiagnostic-Code: smtp; 550 unknown\n"
)
RETURNED = "Message-ID: <n1@duly.example>\nFrom: notices@authority.example\nTo: lost@firm.example\n\nhello\n"
HEAD = "From: MAILER-DAEMON@mx.example.net\nTo: bounces+t@duly.example\nSubject: Undelivered Mail Returned to Sender\n"
PERSON = "From: Bob <bob@authority.example>\nTo: bounces+t@duly.example\n"
REPORT = "multipart/report; report-type=delivery-status"
MIXED = "multipart/mixed"
TEXT, DSN, MAIL = "Content-Type: text/plain", "Content-Type: message/delivery-status", "Content-Type: message/rfc822"


def multipart(
    *parts: tuple[str, str], kind: str = REPORT, head: str = HEAD, boundary: str = "b", end: bool = True
) -> str:
    body = "".join(f"--{boundary}\n{headers}\n\n{content}\n" for headers, content in parts)
    return f'{head}Content-Type: {kind}; boundary="{boundary}"\n\n{body}' + (f"--{boundary}--\n" if end else "")


def with_status(status: str, headers: str = DSN, kind: str = REPORT) -> str:
    return multipart((TEXT, WORDS), (headers, status), (MAIL, RETURNED), kind=kind)


def in_base64(text: str, charset: str = "utf-8") -> str:
    return base64.encodebytes(text.encode(charset)).decode()


PLAIN = with_status(STATUS)
DECLARED = f'Content-Type: {REPORT}; boundary="b"\n'
INNER = PLAIN.removeprefix(HEAD).replace("--b", "--i").replace('"b"', '"i"')
FINAL = {
    "in multipart/mixed": with_status(STATUS, kind=MIXED),
    "nested in a gateway's wrapping": multipart((TEXT, "scanned"), (INNER.split("\n")[0], INNER.split("\n", 2)[2]), kind=MIXED),
    "no boundary declared": PLAIN.replace('; boundary="b"', ""),
    "another boundary declared": PLAIN.replace('boundary="b"', 'boundary="z"'),
    "no content type": PLAIN.replace(DECLARED, ""),
    "declared as plain text": PLAIN.replace(DECLARED, "Content-Type: text/plain\n"),
    "boundary with spaces": PLAIN.replace("--b", "--a b=c").replace('"b"', '"a b=c"'),
    "status in base64": with_status(in_base64(STATUS), f"{DSN}\nContent-Transfer-Encoding: base64"),
    "status in quoted-printable": with_status(
        quopri.encodestring(STATUS.encode()).decode().replace("@", "=40"),
        f"{DSN}\nContent-Transfer-Encoding: quoted-printable",
    ),
    "status as plain text": with_status(STATUS, TEXT),
    "status as text attachment": with_status(STATUS, f"{TEXT}\nContent-Disposition: attachment", MIXED),
    "status as octet-stream": with_status(STATUS, "Content-Type: application/octet-stream", MIXED),
    "status after the returned message": multipart((TEXT, WORDS), (MAIL, RETURNED), (TEXT, STATUS), kind=MIXED),
    "type in capitals with parameters": with_status(STATUS, 'Content-Type: Message/Delivery-Status; name="x"'),
    "internationalised": with_status(
        STATUS.replace("rfc822;", "utf-8;"), "Content-Type: message/global-delivery-status"
    ),
    "cut off in the status": multipart((TEXT, WORDS), (DSN, STATUS.partition("Status:")[0]), end=False),
    "cut off before the action": multipart((TEXT, NAMED), (DSN, STATUS.partition("Action:")[0]), end=False),
    "cut off in the words": multipart((TEXT, NAMED), end=False),
    "status without blank lines": with_status(STATUS.replace("\n\n", "\n")),
    "status of blank lines": with_status(STATUS.replace("\n", "\n\n")),
    "status in capitals": with_status(STATUS.upper()),
    "folded fields": with_status(STATUS.replace("; ", ";\n ").replace("Action: ", "Action:\n ")),
    "no action, class 5": with_status(STATUS.replace("Action: failed\n", "")),
    "no address type": with_status(STATUS.replace("rfc822; ", "")),
    "address in brackets with a comment": with_status(STATUS.replace("lost@firm.example", "<LOST@Firm.example> (gone)")),
    "final recipient is a local name": with_status(
        STATUS.replace("Final-Recipient: rfc822; lost@firm.example", "Original-Recipient: rfc822;lost@firm.example\nFinal-Recipient: LOCAL;l")
    ),
    "empty status part": multipart((TEXT, NAMED), (DSN, ""), (MAIL, RETURNED)),
    "status of the mail system alone": multipart((TEXT, NAMED), (DSN, "Reporting-MTA: dns; x\n"), (MAIL, RETURNED)),
    "words in UTF-16": multipart(
        (f"{TEXT}; charset=utf-16\nContent-Transfer-Encoding: base64", in_base64(NAMED, "utf-16")), kind=MIXED
    ),
    "words in an unknown charset": multipart((f"{TEXT}; charset=x-unknown", NAMED), kind=MIXED),
    "fields among the words": f"{HEAD}\n{WORDS}\n{STATUS}",
    "fields indented": f"{HEAD}\n{WORDS}\n" + "".join(f"   {line}\n" for line in STATUS.split("\n")),
    "fields in HTML": f"{HEAD}Content-Type: text/html\n\n<html><pre>{WORDS}\n{STATUS}</pre></html>",
    "base64 throughout": f"{HEAD}Content-Transfer-Encoding: base64\n\n{in_base64(NAMED)}",
    "quoted-printable that nobody declared": f"{HEAD}\n{NAMED}".replace("firm.example", "firm.ex=\nample"),
    "an mbox line first": f"From MAILER-DAEMON Tue Mar  3 10:00:00 2026\n{PLAIN}",
    "blank lines first": f"\r\n\r\n{PLAIN}",
    "a byte order mark first": f"\ufeff{PLAIN}",
    "a line of a queue file first": f"@@@ dump\n{PLAIN}",
    "line ends doubled": PLAIN.replace("\n", "\r\r\n"),
    "line ends mixed": PLAIN.replace("\nAction", "\r\nAction").replace("\nStatus", "\rStatus"),
}  # fmt: skip


@pytest.mark.parametrize("name", FINAL)
def test_a_failure_is_read_whatever_became_of_its_structure(name: str) -> None:
    found = classify(FINAL[name].encode())
    assert (found.verdict, found.recipients) == ("final", ("lost@firm.example",)), found


def test_every_recipient_of_a_long_report_is_told() -> None:
    status = "".join(f"\nFinal-Recipient: rfc822; a{n}@firm.example\nAction: failed\n" for n in range(300))
    found = classify(with_status(f"Reporting-MTA: dns; x\n{status}").encode())
    assert found.recipients == tuple(sorted(f"a{n}@firm.example" for n in range(300)))


def test_reports_in_two_parts_are_one() -> None:
    other = STATUS.replace("lost@", "other@")
    found = classify(multipart((TEXT, WORDS), (DSN, STATUS), (DSN, other), (MAIL, RETURNED)).encode())
    assert found.recipients == ("lost@firm.example", "other@firm.example")


LATER = STATUS.replace("failed", "delayed")
NOT_FINAL = {
    "a delay in base64": with_status(in_base64(LATER), f"{DSN}\nContent-Transfer-Encoding: base64"),
    "a delay as plain text": with_status(LATER, TEXT, MIXED),
    "a delay as octet-stream": with_status(LATER, "Content-Type: application/octet-stream", MIXED),
    "forwarded as an attachment": multipart(
        (TEXT, "look"), (MAIL, PLAIN), kind=MIXED, boundary="o", head=f"{PERSON}Subject: please look\n"
    ),
    "forwarded with its parts": multipart(
        (TEXT, "fyi"), (DSN, STATUS), (MAIL, RETURNED), kind=MIXED, head=f"{PERSON}Subject: Fwd: Undelivered\n"
    ),
    "fields in a newsletter": f"From: News <news@x.example>\nSubject: How to read a report\n\n{STATUS}",
    "fields in a ticket": f"From: Help <help@x.example>\nSubject: [#12] mail rejected\n\n{STATUS}",
    "fields in a vacation notice": f"{PERSON}Return-Path: <>\nAuto-Submitted: auto-replied\nSubject: Away\n\n{STATUS}",
    "a report inside a complaint": multipart(
        (TEXT, "rejected: 550 5.1.1"), ("Content-Type: message/feedback-report", "Feedback-Type: abuse\n"), (MAIL, PLAIN),
        kind="multipart/report; report-type=feedback-report", boundary="o",
    ),
    "a mail deleted unread": multipart(
        (TEXT, "Your message to lost@firm.example was deleted without being read: it was not delivered"),
        ("Content-Type: message/disposition-notification", "Final-Recipient: rfc822;lost@firm.example\nDisposition: automatic-action/MDN-sent-automatically; deleted\n"),
        kind="multipart/report; report-type=disposition-notification", head="From: lost@firm.example\nSubject: Not read: hello\n",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", NOT_FINAL)
def test_what_is_no_failure_of_ours_is_not_final_in_any_structure(name: str) -> None:
    assert classify(NOT_FINAL[name].encode()).verdict != "final"
