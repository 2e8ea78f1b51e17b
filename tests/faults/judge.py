"""The judge of a run: what the sink's own log says against what the database says."""

from __future__ import annotations

import json
from itertools import groupby
from typing import Any

from services.kernel.domain import verp
from services.kernel.domain.chain import GENESIS, Fact
from services.kernel.domain.notice import State
from services.kernel.domain.proof import check_notice
from services.notifier.handler import ABANDONED_MOST, UNKNOWN_MOST
from tests.faults.sink_log import SinkLog
from tests.rig.system import KEYS, System

BOUNCE_DOMAIN = "bounces.authority.example"
KEYRING = verp.Keyring({KEYS.partition(":")[0]: bytes.fromhex(KEYS.partition(":")[2])}, KEYS.partition(":")[0])
MOST_MAILS = 1 + ABANDONED_MOST + UNKNOWN_MOST


async def judge_mails(system: System, log: SinkLog, notices: int) -> int:
    """No mail lost, none that its notice does not know, duplicates bounded and of one Message-ID; how many there are.

    A mail is known by its envelope sender, which names the attempt: every one that the sink took has an attempt.
    """
    mails = log.by_recipient()
    rows = await system.fetch("SELECT notice_id, address, state, alert_accepted_at FROM notice")
    assert len(rows) == notices
    unserved = {row["address"]: row["state"] for row in rows if row["alert_accepted_at"] is None}
    assert not unserved, f"{len(unserved)} were never served: {list(unserved.items())[:5]}\n{system.complaints()}"
    lost = [row["address"] for row in rows if row["address"] not in mails]
    assert not lost, f"served, but the mail system never took a mail: {lost[:5]}"
    assert set(mails) == {row["address"] for row in rows}
    attempts = {row["attempt_id"]: row for row in await system.fetch("SELECT attempt_id, address, state FROM attempt")}
    for row in rows:
        _judge_mails_of(mails[row["address"]], row["notice_id"].hex, attempts)
    return sum(map(len, mails.values())) - notices


def _judge_mails_of(mails: list[dict[str, Any]], notice: str, attempts: dict[Any, Any]) -> None:
    """One mail is of the attempt that served the notice; any other of one whose process died before it could tell."""
    assert len(mails) <= MOST_MAILS, f"{len(mails)} mails to {mails[0]['recipient']}"
    assert {mail["message_id"] for mail in mails} == {f"<{notice}@authority.example>"}
    named = [verp.read(mail["sender"], KEYRING, BOUNCE_DOMAIN) for mail in mails]
    assert len(set(named)) == len(named), f"one attempt was mailed twice to {mails[0]['recipient']}"
    assert {attempts[each]["address"] for each in named} == {mails[0]["recipient"]}
    states = sorted(attempts[each]["state"] for each in named)
    assert states.count("accepted") == 1, f"attempts of the mails to {mails[0]['recipient']}: {states}"
    assert set(states) <= {"accepted", "abandoned", "unknown"}


async def judge_evidence(system: System) -> None:
    """Nothing lost, nothing dead, every chain whole, and everything told."""
    assert await system.value("SELECT lost FROM conservation") == 0
    dead = await system.fetch("SELECT worker, type, reason, attempts FROM failed_item WHERE state = 'dead'")
    assert not dead, f"{len(dead)} items are dead: {[dict(row) for row in dead[:5]]}"
    notices = {row["notice_id"]: row for row in await system.fetch("SELECT notice_id, chain_head, state FROM notice")}
    facts = await system.fetch("SELECT * FROM notice_event ORDER BY notice_id, seq")
    chained = {key: list(rows) for key, rows in groupby(facts, key=lambda row: row["notice_id"])}
    assert chained.keys() == notices.keys()
    for notice_id, rows in chained.items():
        notice = notices[notice_id]
        problems = check_notice(facts_of(rows), notice["chain_head"], State(notice["state"]))
        assert not problems, f"{notice_id}: {problems}"


def facts_of(rows: list[Any]) -> list[Fact]:
    """The evidence of one notice, from its rows in order."""
    facts: list[Fact] = []
    previous = GENESIS(rows[0]["notice_id"])
    for row in rows:
        data = json.loads(row["data"])
        facts.append(
            Fact(row["notice_id"], row["seq"], row["kind"], row["at"], row["actor"], data, previous, row["digest"])
        )
        previous = row["digest"]
    return facts
