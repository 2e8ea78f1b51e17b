"""Measure the classifier: `python -m tests.benchmarks.classifier [--rounds N]`.

Two sets: the real mails of the corpus, where one is at hand (`DULY_CORPUS`, else `../shared/corpus`), and mails of 200 KB
made here: large attachments, endless texts and pages, deep and wide structures, long headers, and what regular
expressions might choke on. Each mail's time is the best of its rounds in processor milliseconds, as other processes
share the machine. Prints one JSON object.
"""
# ruff: noqa: E501 - mails stand as they are sent

from __future__ import annotations

import argparse
import base64
import json
import os
import random
import sys
import time
from pathlib import Path

from services.bounces.classify import classify

CORPUS = Path(os.environ.get("DULY_CORPUS", Path(__file__).parents[2].parent / "shared" / "corpus")) / "mail"
LARGE = 200 * 1024
HEAD = "From: MAILER-DAEMON@mx.example\nTo: bounces+t@duly.example\nSubject: Undelivered Mail Returned to Sender\n"
HTML = f"{HEAD}Content-Type: text/html\n\n"
MIXED = f"{HEAD}Content-Type: multipart/mixed; boundary=b\n\n"
SAID = "--b\nContent-Type: text/plain\n\nYour message could not be delivered:\n<lost@firm.example>: 550 unknown\n"
STATUS = f"{HEAD}Content-Type: multipart/report; boundary=b\n\n{SAID}--b\nContent-Type: message/delivery-status\n\n"
RECIPIENT = "Final-Recipient: rfc822; lost@firm.example\nAction: failed\nStatus: 5.1.1\n\n"


def likely() -> dict[str, str]:
    """Large mails as they come."""
    attachment = base64.encodebytes(random.Random(1).randbytes(LARGE)).decode()
    return {
        "returned mail with an attachment": f"{MIXED}{SAID}--b\nContent-Type: message/rfc822\n\nTo: x@y.example\n\n{attachment}",
        "attachment beside the words": f"{MIXED}{SAID}--b\nContent-Type: application/pdf\nContent-Transfer-Encoding: base64\n\n{attachment}",
        "returned mail in the text": f"{HEAD}\n{SAID}\n--- Below this line is a copy of the message.\n\n{attachment}",
        "long text": HEAD + "\n" + _filled("could not be your message delivered to the user\n"),
        "one endless line": HEAD + "\n" + _filled("your mail to the user "),
        "long page": HTML + _filled("<p>your mail <b>to</b> &amp; from</p>\n"),
        "Japanese": f"{HEAD}Content-Type: text/plain; charset=utf-8\n\n" + _filled("お客様の文章が続きます。\n"),
        "Russian": f"{HEAD}Content-Type: text/plain; charset=utf-8\n\n" + _filled("просто длинный текст на русском языке\n"),
        "many Received lines": "Received: from a.example by b.example\n\tfor <x@y.example>\n" * 3_000 + HEAD + "\n" + SAID,
        "newsletter": "From: news@b.example\nSubject: news\nContent-Type: text/html\n\n" + _filled("<p>news</p>\n"),
        "a hundred recipients": STATUS + RECIPIENT * 100,
    }  # fmt: skip


def hostile() -> dict[str, str]:
    """Large mails made to be slow."""
    return {
        "open tags": HTML + _filled("<a "),
        "brackets": HTML + _filled("<"),
        "comments": HTML + _filled("<!-- x "),
        "styles": HTML + _filled("<style>a</style>"),
        "blank lines": HEAD + "\n" + _filled("\n \t"),
        "at signs": HEAD + "\n" + _filled("a@a."),
        "one word": HEAD + "\n" + _filled("a"),
        "addresses": HEAD + "\nfailed\n" + _filled("<lost@firm.example>: 550 user unknown\n"),
        "nested parts": HEAD + "".join(f"Content-Type: multipart/mixed; boundary=b{n}\n\n--b{n}\n" for n in range(4_000)),
        "many parts": MIXED + _filled("--b\nContent-Type: text/plain\n\nx\n"),
        "thousands of recipients": STATUS + _filled(RECIPIENT),
        "folded field": STATUS + "Final-Recipient: rfc822;" + _filled("\n a"),
        "long folded header": "X-Long: " + _filled("abc\n ") + "\n" + HEAD + "\n" + SAID,
        "long encoded subject": "Subject: " + _filled("=?utf-8?b?YWJj?= ") + "\n" + HEAD + "\n" + SAID,
        "conditions": HEAD + "\n" + _filled("if a\nif b "),
        "delivered to": HEAD + "\n" + _filled("has been temporarily delivered to "),
        "zero bytes": HEAD + "\n" + _filled("\0"),
    }  # fmt: skip


def _filled(unit: str) -> str:
    return unit * (LARGE // len(unit.encode()))


def milliseconds(raw: bytes, rounds: int) -> float:
    """The best of the rounds."""
    times = []
    for _ in range(rounds):
        begun = time.process_time()
        classify(raw)
        times.append(time.process_time() - begun)
    return min(times) * 1_000


def figures(mails: dict[str, bytes], rounds: int) -> dict[str, object]:
    """Percentiles, and the slowest three."""
    took = sorted((milliseconds(raw, rounds), name) for name, raw in mails.items())
    at = {name: round(took[int(len(took) * share)][0], 2) for name, share in (("p50", 0.5), ("p99", 0.99))}
    slowest = {name: round(ms, 2) for ms, name in reversed(took[-3:])}
    return {"mails": len(took), **at, "max": round(took[-1][0], 2), "slowest": slowest}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Measure the classifier.")
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    made = {"likely": likely(), "hostile": hostile()}
    sets = {name: {key: mail.encode()[:LARGE] for key, mail in mails.items()} for name, mails in made.items()}
    labels = CORPUS / "labels.jsonl"
    if labels.exists():
        names = [json.loads(line)["file"] for line in labels.read_text().splitlines()]
        sets = {"corpus": {name: (CORPUS / name).read_bytes() for name in names}, **sets}
    told = {name: figures(mails, rounds) for name, mails in sets.items()}
    sys.stdout.write(json.dumps(told, indent=2, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
