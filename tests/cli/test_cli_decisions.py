"""`duly sanctions decline`, `batch` and `history` on a real database, and as a terminal shows them."""

from __future__ import annotations

import pytest

from services.cli.__main__ import run
from services.kernel.adapters.postgres.ledger import PostgresLedger
from services.kernel.domain.changes import EvidenceStored
from services.kernel.domain.notice import State
from services.kernel.runtime.fault import Exit
from tests.rig.commands import Duly, OnLedger
from tests.rig.notices import IDS, Made, make

KIND = "registration.cancel"
STOPPED = "UPDATE gate_wait SET waiting_for = '{stopped}', look_again_at = NULL"


async def discretionary(ledger: PostgresLedger) -> Made:
    return await make(ledger, State.LAPSED, automatic=False)


async def held(ledger: PostgresLedger) -> list[Made]:
    """Seven that the brake alone holds."""
    made = [await make(ledger, State.LAPSED) for _ in range(7)]
    await ledger.pool.execute(STOPPED)
    return made


def test_sanction_is_declined_by_name_once(ledger_of: OnLedger, duly: Duly) -> None:
    made = ledger_of(discretionary)
    named = str(made.sanction_id)[-12:]
    code, [told], _ = duly("sanctions", "decline", named, "--reason", "not proportionate", "--by", "Alice")
    assert (code, told["word"], told["word_by"], told["word_reason"]) == (
        Exit.OK, "decline", "Alice", "not proportionate",
    )  # fmt: skip
    code, _, err = duly("sanctions", "decline", named, "--reason", "again")
    assert code == Exit.NO
    assert "Alice has declined it already" in err


def test_batch_goes_from_made_to_released(ledger_of: OnLedger, duly: Duly) -> None:
    ledger_of(held)
    assert duly("sanctions", "batch", "make", "no.such", "--reason", "why")[0] == Exit.USAGE
    code, [made], _ = duly("sanctions", "batch", "make", KIND, "--reason", "the records are mended", "--by", "Alice")
    assert (code, made["total"], made["sampled"]) == (Exit.OK, 7, 5)
    batch = made["batch_id"][-12:]
    [shown] = duly("sanctions", "batch", "show", batch)[1]
    numbers = [case["number"] for case in shown["cases"]]
    assert len(numbers) == 5
    assert len(duly("sanctions", "batch", "show", batch, "--all")[1][0]["cases"]) == 7
    assert duly("sanctions", "batch", "release", batch, "--reason", "early")[0] == Exit.NO
    for number in numbers:
        duly("sanctions", "batch", "judge", batch, number, "right", "--reason", "looked at", "--by", "Bob")
    code, [told], _ = duly("sanctions", "batch", "release", batch, "--reason", "all right", "--by", "Bob")
    assert (code, told["state"], told["sanctions"]) == (Exit.OK, "released", 7)
    [row] = duly("sanctions", "batch", "list", "--state", "released")[1]
    assert (row["judged"], row["wrong"], row["decided_by"]) == (5, 0, "Bob")
    code, _, err = duly("sanctions", "batch", "reject", batch, "--reason", "late")
    assert code == Exit.NO
    assert "Bob has released this batch already" in err


def test_batch_is_rejected_and_what_is_not_in_the_sample_is_not_judged(ledger_of: OnLedger, duly: Duly) -> None:
    ledger_of(held)
    [made] = duly("sanctions", "batch", "make", KIND, "--reason", "look")[1]
    batch = made["batch_id"]
    assert duly("sanctions", "batch", "judge", batch, "99", "wrong", "--reason", "?")[0] == Exit.NO
    assert duly("sanctions", "batch", "judge", batch, "1", "perhaps", "--reason", "?")[0] == Exit.USAGE
    [told] = duly("sanctions", "batch", "reject", batch, "--reason", "the records are wrong", "--by", "Alice")[1]
    assert (told["state"], told["sanctions"]) == ("rejected", 7)
    assert {row["word"] for row in duly("sanctions", "list")[1]} == {"decline"}


def test_history_names_every_change_of_every_brake(ledger_of: OnLedger, duly: Duly) -> None:
    ledger_of(discretionary)
    duly("sanctions", "stop", KIND, "--reason", "wrong records", "--by", "Alice")
    duly("sanctions", "cap", KIND, "5", "--reason", "slowly", "--by", "Bob")
    duly("sending", "stop", "--reason", "a wrong text", "--by", "Carol")
    rows = duly("sanctions", "history")[1]
    assert [(row["kind"], row["change"], row["changed_by"]) for row in rows] == [
        (None, "stopped", "Carol"), (KIND, "capped", "Bob"), (KIND, "stopped", "Alice"),
    ]  # fmt: skip
    assert len(duly("sanctions", "history", "--kind", KIND)[1]) == 2
    assert duly("sending", "show")[0] == Exit.NO


def test_tables_are_read_by_a_person(ledger_of: OnLedger, duly: Duly, capsys: pytest.CaptureFixture[str]) -> None:
    ledger_of(held)
    [made] = duly("sanctions", "batch", "make", KIND, "--reason", "the records are mended", "--by", "Alice")[1]
    capsys.readouterr()

    def told(*words: str) -> str:
        assert run(["sanctions", *words]) == Exit.OK
        return capsys.readouterr().out

    assert "0/5" in told("batch", "list")
    shown = told("batch", "show", made["batch_id"])
    assert "registration.cancel: 7 cases, 0 of 5 judged; made" in shown
    assert shown.count("lapsed") == 5
    number = duly("sanctions", "batch", "show", made["batch_id"])[1][0]["cases"][0]["number"]
    said = told("batch", "judge", made["batch_id"], str(number), "wrong", "--reason", "paid", "--by", "Bob")
    assert said == f"case {number} is wrong, judged by Bob; 1 of 5 judged\n"
    assert "1/5\t1\t" in told("batch", "list")


def test_report_is_matched_to_a_notice_by_name(ledger_of: OnLedger, duly: Duly) -> None:
    row = EvidenceStored(
        IDS.uuid7(), "mail", None, None, "mail.received", "message/rfc822", "{}", b"?", None, None, None, (), "parked"
    )

    async def prepared(ledger: PostgresLedger) -> Made:
        async with ledger.begin() as tx:
            await tx.store([row])
        return await make(ledger, State.LAPSED)

    made = ledger_of(prepared)
    by = ("--reason", "they rang", "--by", "Alice")
    [told] = duly("evidence", "match", row.evidence_id, made.notice.source_ref, *by)[1]
    [hold] = duly("holds", "list")[1]
    assert (hold["hold_id"], hold["kind"], hold["placed_by"]) == (told["hold_id"], "delivery_doubt", "Alice")
    assert duly("evidence", "match", row.evidence_id, made.notice.source_ref, *by)[0] == Exit.NO
