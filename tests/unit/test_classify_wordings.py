"""Reports in the words of many mail systems and languages, and what is easily taken for them.

The mails are ours, in `reports/`, one after another: `===== name`, headers, an empty line, the body. Addresses that
begin with `lost` finally failed; all others did not.
"""

from __future__ import annotations

import base64
import quopri
import re
from collections.abc import Iterator
from email.header import Header
from pathlib import Path

import pytest

from services.bounces.classify import classify

REPORTS = Path(__file__).parent / "reports"
LOST = re.compile(r"\blost\d*@[\w.-]*\w")
CHARSETS = {
    "outlook in japanese": ("iso-2022-jp", "shift_jis", "euc-jp"),
    "gmail in japanese": ("iso-2022-jp",),
    "163": ("gb2312", "gb18030"),
    "outlook in traditional chinese": ("big5",),
    "outlook in korean": ("euc-kr", "ks_c_5601-1987"),
    "yandex": ("koi8-r", "windows-1251"),
    "ukr.net": ("koi8-u",),
    "outlook in greek": ("iso-8859-7",),
    "outlook in polish": ("iso-8859-2", "windows-1250"),
    "outlook in turkish": ("iso-8859-9",),
    "outlook 365 in german": ("iso-8859-1", "windows-1252", "utf-7", "utf-16"),
    "walla in hebrew": ("iso-8859-8", "windows-1255"),
    "arabic": ("windows-1256",),
    "thai": ("tis-620",),
}


def mails(group: str) -> Iterator[tuple[str, str, str]]:
    """Name, headers and body of each mail of a group."""
    text = (REPORTS / f"{group}.txt").read_text("utf-8")
    for mail in re.split(r"(?m)^===== ", text)[1:]:
        name, _, rest = mail.partition("\n")
        head, _, body = rest.partition("\n\n")
        yield name, head, body


def encoded(head: str, body: str, charset: str = "utf-8", encoding: str = "8bit") -> bytes:
    """The mail as it would be sent."""
    lines = [line if line.isascii() else _encoded_header(line) for line in head.split("\n")]
    if not re.search(r"(?mi)^to:", head):
        lines.append("To: bounces+t@duly.example")
    if not re.search(r"(?mi)^content-type:", head):
        lines.append(f"Content-Type: text/plain; charset={charset}")
    raw = body.encode(charset, "replace")
    encoders = {"8bit": bytes, "base64": base64.encodebytes, "quoted-printable": quopri.encodestring}
    lines.append(f"Content-Transfer-Encoding: {encoding}")
    return "\n".join([*lines, "", ""]).encode() + encoders[encoding](raw)


def _encoded_header(line: str) -> str:
    name, _, value = line.partition(": ")
    return f"{name}: {Header(value, 'utf-8', maxlinelen=10_000).encode()}"


FINAL = {name: (head, body) for name, head, body in mails("final")}


@pytest.mark.parametrize("name", FINAL)
def test_a_failure_in_the_words_of_any_system_is_final_for_those_who_failed(name: str) -> None:
    head, body = FINAL[name]
    found = classify(encoded(head, body))
    lost = tuple(sorted({address.lower() for address in LOST.findall(f"{head}\n{body}")}))
    assert (found.verdict, found.recipients) == ("final", lost), found


@pytest.mark.parametrize("ending", [b"\r\n", b"\r"])
def test_no_line_end_hides_a_failure(ending: bytes) -> None:
    missed = [
        name
        for name, (head, body) in FINAL.items()
        if classify(encoded(head, body).replace(b"\n", ending)).verdict != "final"
    ]
    assert missed == []


@pytest.mark.parametrize("encoding", ["base64", "quoted-printable"])
def test_no_transfer_encoding_hides_a_failure(encoding: str) -> None:
    missed = [
        name
        for name, (head, body) in FINAL.items()
        if classify(encoded(head, body, encoding=encoding)).verdict != "final"
    ]
    assert missed == []


@pytest.mark.parametrize(("name", "charset"), [(name, each) for name, some in CHARSETS.items() for each in some])
def test_no_charset_hides_a_failure(name: str, charset: str) -> None:
    encoding = "base64" if charset == "utf-16" else "8bit"
    assert classify(encoded(*FINAL[name], charset=charset, encoding=encoding)).verdict == "final"


DELAYED = {name: (head, body) for name, head, body in mails("delayed")}
NOT_FINAL = {name: (head, body) for name, head, body in mails("not_final")}


@pytest.mark.parametrize("name", DELAYED)
def test_a_delay_in_the_words_of_any_system_is_a_delay(name: str) -> None:
    assert classify(encoded(*DELAYED[name])).verdict == "delayed"


@pytest.mark.parametrize("name", NOT_FINAL)
@pytest.mark.parametrize("encoding", ["8bit", "base64"])
def test_what_is_easily_taken_for_a_report_is_never_final(name: str, encoding: str) -> None:
    assert classify(encoded(*NOT_FINAL[name], encoding=encoding)).verdict != "final"


STRUCTURES = {name: (head, body) for name, head, body in mails("structures")}
STRUCTURES_NOT_FINAL = {name: (head, body) for name, head, body in mails("structures_not_final")}


def assembled(head: str, body: str) -> bytes:
    """A mail whose body is already in its parts."""
    return f"{head}\nTo: bounces+t@duly.example\n\n{body}".encode()


@pytest.mark.parametrize("name", STRUCTURES)
@pytest.mark.parametrize("ending", [b"\n", b"\r\n", b"\r"])
def test_a_failure_in_parts_of_any_kind_is_final_for_those_who_failed(name: str, ending: bytes) -> None:
    head, body = STRUCTURES[name]
    found = classify(assembled(head, body).replace(b"\n", ending))
    lost = tuple(sorted({address.lower() for address in LOST.findall(f"{head}\n{body}")}))
    assert (found.verdict, found.recipients) == ("final", lost), found


@pytest.mark.parametrize("name", STRUCTURES_NOT_FINAL)
def test_parts_that_tell_of_no_failure_of_ours_are_never_final(name: str) -> None:
    assert classify(assembled(*STRUCTURES_NOT_FINAL[name])).verdict != "final"


@pytest.mark.parametrize("name", [*DELAYED, *NOT_FINAL])
@pytest.mark.parametrize("length", [600, 1000, 2048])
def test_what_is_cut_short_is_not_made_final_by_it(name: str, length: int) -> None:
    head, body = DELAYED.get(name) or NOT_FINAL[name]
    assert classify(encoded(head, body)[:length]).verdict != "final"
