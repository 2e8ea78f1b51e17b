"""`duly dead-letters`: listed with reasons, replayed idempotently with a history, mended, discarded."""

from __future__ import annotations

import json
from pathlib import Path
from uuid import UUID

import pytest

from services.cli.__main__ import run
from services.kernel.adapters.postgres.ledger import PostgresLedger
from services.kernel.domain.changes import EvidenceStored
from services.kernel.domain.outcome import Done
from services.kernel.ledger import FailedDue, Failure, Finished, ItemKey
from services.kernel.runtime.fault import Exit
from tests.rig.commands import Duly, OnLedger, Told
from tests.rig.notices import IDS

NOBODY = UUID(int=0)
ENVELOPE = {
    "specversion": "1.0", "id": "e1", "source": "fees", "type": "response.reported.v1",
    "data": {"source_ref": "fees/2026/1", "kind": "question"},
}  # fmt: skip


def failure(number: int, *, worker: str = "intake", reason: str = "not JSON", dead: bool = True) -> Failure:
    return Failure(
        ItemKey("fees", f"e{number}", NOBODY), "response.reported.v1", None, None, "response.reported.v1",
        "application/cloudevents+json", {"ce-id": "old", "kept": "yes"}, b"{broken", f"{reason} in {worker}",
        "DeadLetter", "",        None if dead else 3600.0, None,
    )  # fmt: skip


async def failed(ledger: PostgresLedger) -> None:
    async with ledger.begin() as tx:
        await tx.finish("intake", [], [failure(1), failure(2, reason="unknown type"), failure(3, dead=False)])
        await tx.finish("renderer", [], [failure(4, worker="renderer")])


async def due(ledger: PostgresLedger) -> list[FailedDue]:
    """What relay would send now."""
    async with ledger.begin() as tx:
        return await tx.failed_due(100, 30.0)


def ids(rows: list[Told]) -> list[str]:
    return [row["failed_id"] for row in rows]


def test_list_shows_dead_ones_with_reasons_and_filters(ledger_of: OnLedger, duly: Duly) -> None:
    ledger_of(failed)
    rows = duly("dead-letters", "list")[1]
    assert [(row["worker"], row["state"], row["attempts"]) for row in rows] == [
        ("intake", "dead", 1), ("intake", "dead", 1), ("renderer", "dead", 1),
    ]  # fmt: skip
    assert len(duly("dead-letters", "list", "--worker", "renderer")[1]) == 1
    assert len(duly("dead-letters", "list", "--reason-contains", "UNKNOWN")[1]) == 1
    assert len(duly("dead-letters", "list", "--since", "1h")[1]) == 3
    assert duly("dead-letters", "list", "--since", "2099-01-01")[1] == []
    assert len(duly("dead-letters", "list", "--state", "retry")[1]) == 1
    assert duly("dead-letters", "list", "--since", "yesterday")[0] == Exit.USAGE


def test_dry_run_says_what_would_be_done_and_does_nothing(ledger_of: OnLedger, duly: Duly) -> None:
    ledger_of(failed)

    async def remember(ledger: PostgresLedger) -> None:
        async with ledger.begin() as tx:
            await tx.finish("intake", [Finished(ItemKey("fees", "e2", NOBODY), Done(), None)], [])

    ledger_of(remember)
    code, plans, _ = duly("dead-letters", "replay", "--all", "--dry-run")
    assert code == Exit.OK
    assert [plan["would_be"] for plan in plans] == ["replayed", "resolved", "replayed"]
    assert "done before" in plans[1]["why"]
    assert len(duly("dead-letters", "list")[1]) == 3
    assert ledger_of(due) == []


def test_replay_makes_them_due_once_each_with_a_history(ledger_of: OnLedger, duly: Duly) -> None:
    ledger_of(failed)
    rows = duly("dead-letters", "list")[1]
    assert duly("dead-letters", "replay", "--all")[0] == Exit.USAGE  # without a reason
    for _ in range(2):
        code, [told], _ = duly("dead-letters", "replay", *ids(rows), "--reason", "mended", "--by", "Alice")
        assert (code, told["done"]) == (Exit.OK, 3)
    assert sorted(str(item.failed_id) for item in ledger_of(due)) == sorted(ids(rows))
    assert {item.attempts for item in ledger_of(due)} <= {0}
    [whole] = duly("dead-letters", "show", ids(rows)[0])[1]
    assert [(each["actor"], each["action"]) for each in whole["actions"]] == [("Alice", "replay")] * 2


def test_replayed_item_that_is_done_resolves_and_is_left_alone_then(ledger_of: OnLedger, duly: Duly) -> None:
    ledger_of(failed)
    named = ids(duly("dead-letters", "list")[1])[0]
    duly("dead-letters", "replay", named, "--reason", "mended")

    async def done(ledger: PostgresLedger) -> None:
        async with ledger.begin() as tx:
            await tx.finish("intake", [Finished(ItemKey("fees", "e1", NOBODY), Done(), UUID(named))], [])

    ledger_of(done)
    code, [told], _ = duly("dead-letters", "replay", named, "--reason", "again")
    assert (code, told) == (Exit.NO, {"named": 1, "done": 0, "skipped": 1})
    assert duly("dead-letters", "replay", named, "--dry-run")[1][0]["why"] == "it is resolved already"


def test_mended_message_replaces_the_body_and_keeps_what_it_was(
    ledger_of: OnLedger, duly: Duly, tmp_path: Path
) -> None:
    ledger_of(failed)
    named = ids(duly("dead-letters", "list")[1])[0]
    body = tmp_path / "mended.json"
    body.write_text(json.dumps(ENVELOPE))
    code, [told], _ = duly("dead-letters", "replay", named, "--body", body, "--reason", "a brace was missing")
    assert (code, told["done"]) == (Exit.OK, True)
    [item] = ledger_of(due)
    assert (item.body, item.routing_key, item.headers) == (body.read_bytes(), "response.reported.v1", {"kept": "yes"})
    [whole] = duly("dead-letters", "show", named)[1]
    assert [(each["action"], each["body_before"]) for each in whole["actions"]] == [
        ("mend", b"{broken".hex()), ("replay", None),
    ]  # fmt: skip


def test_mended_message_that_would_fail_again_is_refused_with_its_faults(
    ledger_of: OnLedger, duly: Duly, tmp_path: Path
) -> None:
    ledger_of(failed)
    named = ids(duly("dead-letters", "list")[1])[0]
    body = tmp_path / "mended.json"
    for text, wrong in (
        ("{", "not JSON"),
        (json.dumps({**ENVELOPE, "type": "no.such.v1"}), "for no worker"),
        (json.dumps({**ENVELOPE, "data": {"kind": "poem"}}), "data.kind"),
    ):
        body.write_text(text)
        code, _, err = duly("dead-letters", "replay", named, "--body", body, "--reason", "why")
        assert (code, wrong in err or "Invalid JSON" in err) == (Exit.USAGE, True), err
    body.write_bytes(b"\xff as it is")
    assert duly("dead-letters", "replay", named, "--body", body, "--raw", "--reason", "why")[0] == Exit.OK
    assert ledger_of(due)[0].body == b"\xff as it is"


def test_undecodable_evidence_is_cleared_when_its_mended_message_is_done(
    ledger_of: OnLedger, duly: Duly, tmp_path: Path
) -> None:
    row = EvidenceStored(
        IDS.uuid7(), "amqp", "fees", None, "undecodable", "text/plain", "{}", b"{broken", None, None, None, (), "dead"
    )

    async def undecodable(ledger: PostgresLedger) -> None:
        from dataclasses import replace  # noqa: PLC0415

        async with ledger.begin() as tx:
            await tx.write([row])
            await tx.finish("intake", [], [replace(failure(9), evidence_id=row.evidence_id)])

    ledger_of(undecodable)
    named = ids(duly("dead-letters", "list")[1])[0]
    assert "holding sanctions" in duly("dead-letters", "discard", named, "--dry-run")[1][0]["why"]
    body = tmp_path / "mended.json"
    body.write_text(json.dumps(ENVELOPE))
    duly("dead-letters", "replay", named, "--body", body, "--reason", "mended")

    async def done(ledger: PostgresLedger) -> None:
        async with ledger.begin() as tx:
            await tx.finish("intake", [Finished(ItemKey("fees", "e1", NOBODY), Done(), UUID(named))], [])

    ledger_of(done)
    assert duly("evidence", "list")[1] == []


def test_discarded_ones_are_kept_and_never_come_back(ledger_of: OnLedger, duly: Duly) -> None:
    ledger_of(failed)
    assert duly("dead-letters", "discard", "--all", "--worker", "intake", "--reason", "tests")[1][0]["done"] == 2
    assert len(duly("dead-letters", "list", "--state", "discarded")[1]) == 2
    assert duly("dead-letters", "replay", "--all", "--reason", "why")[1][0]["done"] == 1
    assert [item.body for item in ledger_of(due)] == [b"{broken"]


def test_show_writes_the_message_only_when_asked(
    ledger_of: OnLedger, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    ledger_of(failed)
    assert run(["dead-letters", "list", "--json"]) == Exit.OK
    named = json.loads(capfdbinary.readouterr().out.splitlines()[0])["failed_id"]
    assert run(["dead-letters", "show", named]) == Exit.OK
    assert b"{broken" not in capfdbinary.readouterr().out
    assert run(["dead-letters", "show", named, "--body"]) == Exit.OK
    assert capfdbinary.readouterr().out == b"{broken"
