"""Real reports, where a corpus is at hand: no exception, no false final."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from services.bounces.classify import classify

CORPUS = Path(os.environ.get("DULY_CORPUS", Path(__file__).parents[2].parent / "shared" / "corpus")) / "mail"
LABELS = CORPUS / "labels.jsonl"

pytestmark = pytest.mark.skipif(not LABELS.exists(), reason="no corpus (DULY_CORPUS)")


def _labels() -> list[dict[str, str]]:
    return [json.loads(line) for line in LABELS.read_text().splitlines()]


def test_nothing_but_a_final_failure_is_called_final() -> None:
    others = [row["file"] for row in _labels() if not row["kind"].startswith("bounce")]
    assert [name for name in others if classify((CORPUS / name).read_bytes()).verdict == "final"] == []


def test_no_mail_of_the_corpus_is_beyond_reading() -> None:
    reasons = {row["file"]: classify((CORPUS / row["file"]).read_bytes()).reasons for row in _labels()}
    assert [name for name, told in reasons.items() if any(r.startswith("cannot be read") for r in told)] == []


def test_nearly_every_final_failure_is_found() -> None:
    finals = [row["file"] for row in _labels() if row["kind"].startswith("bounce")]
    missed = [name for name in finals if classify((CORPUS / name).read_bytes()).verdict != "final"]
    assert len(missed) <= 0.01 * len(finals), missed


_RELAYED = b"Delivered-To: box@duly.example\nReceived: from r.isp.example by mx.isp.example; 2 Mar 2026 10:00:00 GMT\n"
_WAYS: dict[str, Callable[[bytes], bytes]] = {
    "CRLF": lambda raw: raw.replace(b"\n", b"\r\n"),
    "CR": lambda raw: raw.replace(b"\n", b"\r"),
    "mbox": lambda raw: b"From MAILER-DAEMON Mon Mar  2 10:00:00 2026\n" + raw,
    "relayed": lambda raw: _RELAYED * 6 + raw,
    "marked as spam": lambda raw: re.sub(rb"(?im)^subject:", b"Subject: ***SPAM***", raw, count=1),
}


@pytest.mark.parametrize("way", _WAYS)
def test_the_way_a_mail_came_changes_nothing(way: str) -> None:
    mails = {row["file"]: (CORPUS / row["file"]).read_bytes().replace(b"\r\n", b"\n") for row in _labels()}
    bare = {name: raw for name, raw in mails.items() if not raw.startswith((b"From ", b"\n", b" "))}
    changed = [name for name, raw in bare.items() if _told(_WAYS[way](raw)) != _told(raw)]
    assert changed == []


def _told(raw: bytes) -> tuple[str, tuple[str, ...]]:
    found = classify(raw)
    return found.verdict, found.recipients
