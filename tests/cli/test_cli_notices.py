"""`duly notices`, `holds`, `deadlines`, `sanctions`, `evidence`, `sending`, `addresses` on a real database."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from services.cli.__main__ import run
from services.kernel.adapters.postgres.ledger import PostgresLedger
from services.kernel.domain.chain import merkle_root
from services.kernel.domain.changes import EvidenceStored
from services.kernel.domain.notice import State
from services.kernel.runtime.fault import Exit
from tests.rig.commands import Duly, OnLedger
from tests.rig.notices import IDS, Made, demand, make
from tests.rig.postgres import PrivatePostgres


async def rooted(ledger: PostgresLedger) -> None:
    """The root of every day that is over, as relay makes it."""
    async with ledger.begin() as tx:
        for day in await tx.rootless_days(datetime.now(UTC).date()):
            heads = await tx.heads(day)
            await tx.store_root(day, merkle_root([digest for _, digest in heads]), heads)


async def every_state(ledger: PostgresLedger) -> dict[State, Made]:
    made = {state: await make(ledger, state) for state in State}
    await rooted(ledger)
    return made


def test_list_filters_by_state_and_reference_newest_first(ledger_of: OnLedger, duly: Duly) -> None:
    made = ledger_of(every_state)
    assert [row["state"] for row in duly("notices", "list")[1]] == [state.value for state in reversed(list(State))]
    code, rows, _ = duly("notices", "list", "--state", "served")
    assert (code, [row["notice_id"] for row in rows]) == (Exit.OK, [str(made[State.SERVED].notice_id)])
    reference = made[State.LAPSED].notice.source_ref
    assert [row["state"] for row in duly("notices", "list", "--reference", reference)[1]] == ["lapsed"]
    assert duly("notices", "list", "--business", "nobody")[1] == []


def test_show_takes_an_id_the_end_of_one_or_a_reference_and_never_shows_words(ledger_of: OnLedger, duly: Duly) -> None:
    made = ledger_of(every_state)[State.SANCTIONED]
    for named in (made.notice_id, str(made.notice_id)[-12:], made.notice.source_ref):
        _, [told], _ = duly("notices", "show", named)
        assert told["notice_id"] == str(made.notice_id)
    assert [fact["kind"] for fact in told["facts"]][-1] == "sanction.fired"
    assert "Words." not in json.dumps(told)
    code, _, err = duly("notices", "show", "no-such-notice")
    assert code == Exit.NO
    assert "there is no notice" in err


def test_verify_passes_what_is_sound(ledger_of: OnLedger, duly: Duly) -> None:
    ledger_of(every_state)
    code, [told], _ = duly("notices", "verify", "--all")
    assert (code, told["ok"], told["notices"], told["faults"]) == (Exit.OK, True, 9, [])
    assert told["roots"] > 0


ALTERED = {
    "was altered": "UPDATE notice_event SET actor = 'nobody' WHERE notice_id = $1 AND seq = 2",
    "facts are missing at the end": "DELETE FROM notice_event WHERE notice_id = $1 AND seq = 4",
    "its evidence says": "UPDATE notice SET state = 'lapsed', lapsed_at = now() + interval '1 y', closed_at = NULL "
    "WHERE notice_id = $1",
    "the root does not follow": "UPDATE chain_root SET root = sha256('x') WHERE $1::uuid IS NOT NULL",
    "knows another": "UPDATE chain_root SET heads = set_byte(heads, 16, 255 - get_byte(heads, 16)) "
    "WHERE $1::uuid IS NOT NULL",
    "the notice is gone": "DELETE FROM notice WHERE notice_id = $1",
}


@pytest.mark.parametrize("what", ALTERED)
def test_verify_names_what_was_tampered_with(ledger_of: OnLedger, duly: Duly, what: str) -> None:
    async def tamper(ledger: PostgresLedger) -> Made:
        made = await make(ledger, State.SATISFIED if what != "the notice is gone" else State.WITHDRAWN, days_ago=3)
        await rooted(ledger)
        async with ledger.pool.acquire() as connection:  # as a superuser could, past every guard
            await connection.execute("SET session_replication_role = replica")
            await connection.execute(ALTERED[what], made.notice_id)
            await connection.execute("SET session_replication_role = origin")
        return made

    made = ledger_of(tamper)
    code, [told], _ = duly("notices", "verify", "--all")
    assert code == Exit.NO
    assert any(what in fault["fault"] for fault in told["faults"]), told
    if "root" not in told["faults"][0]["of"]:
        assert told["faults"][0]["of"] == str(made.notice_id)


def test_export_is_verified_offline_and_leads_to_the_published_root(
    ledger_of: OnLedger, duly: Duly, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = ledger_of(every_state)[State.SANCTIONED]
    [root, *_] = [row.hex() for row in ledger_of(lambda ledger: _column(ledger, "SELECT root FROM chain_root"))]
    _, [told], _ = duly("notices", "show", made.notice_id)
    monkeypatch.setenv("DULY_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")  # it must not be asked
    export = tmp_path / "export.json"
    export.write_text(json.dumps(told))
    code, [checked], _ = duly("notices", "verify", "--file", export)
    assert (code, checked["ok"]) == (Exit.OK, True)
    assert root in checked["roots"].values()
    told["facts"][2]["at"] = "2020-01-01T00:00:00+00:00"
    export.write_text(json.dumps(told))
    code, [checked], _ = duly("notices", "verify", "--file", export)
    assert code == Exit.NO
    assert "fact 3: was altered: its digest does not match" in checked["faults"]
    told["roots"][0]["root"] = "00" * 32
    export.write_text(json.dumps(told))
    assert any("does not follow" in fault for fault in duly("notices", "verify", "--file", export)[1][0]["faults"])
    export.write_text("{}")
    assert run(["notices", "verify", "--file", str(export)]) == Exit.USAGE


async def _column(ledger: PostgresLedger, statement: str) -> list[bytes]:
    return [row[0] for row in await ledger.pool.fetch(statement)]


def test_hold_is_placed_listed_and_lifted_with_exit_codes(ledger_of: OnLedger, duly: Duly) -> None:
    made = ledger_of(lambda ledger: make(ledger, State.LAPSED))
    code, [placed], _ = duly(
        "holds", "place", made.notice_id, "--kind", "contested", "--reason", "why", "--by", "Alice"
    )
    assert code == Exit.OK
    [row] = duly("holds", "list")[1]
    assert (row["hold_id"], row["placed_by"], row["kind"]) == (placed["hold_id"], "Alice", "contested")
    assert duly("holds", "lift", placed["hold_id"], "--reason", "settled", "--by", "Bob")[0] == Exit.OK
    assert duly("holds", "lift", placed["hold_id"], "--reason", "settled")[0] == Exit.NO
    assert duly("holds", "list")[1] == []
    assert [row["lifted_by"] for row in duly("holds", "list", "--lifted")[1]] == ["Bob"]
    assert run(["holds", "place", str(made.notice_id)]) == Exit.USAGE  # without a reason


def test_deadline_is_extended_and_a_wrong_date_is_usage(ledger_of: OnLedger, duly: Duly) -> None:
    made = ledger_of(lambda ledger: make(ledger, State.SERVED))
    later = made.notice.deadline_at.date() + timedelta(days=7)
    _, [told], _ = duly("deadlines", "extend", made.notice_id, "--until", later, "--reason", "asked")
    assert (told["deadline_version"], told["due_on"]) == (2, later.isoformat())
    assert duly("deadlines", "extend", made.notice_id, "--until", "soon", "--reason", "asked")[0] == Exit.USAGE
    assert duly("deadlines", "extend", made.notice_id, "--until", "2026-01-01", "--reason", "asked")[0] == Exit.NO


def test_sanctions_say_what_the_gate_waits_for(ledger_of: OnLedger, duly: Duly) -> None:
    made = ledger_of(lambda ledger: make(ledger, State.LAPSED))
    [row] = duly("sanctions", "list")[1]
    assert (row["sanction_id"], row["waiting_for"]) == (str(made.sanction_id), ["hold_open", "mark_missing"])


def test_brake_stops_a_known_kind_and_wakes_the_gate_when_released(ledger_of: OnLedger, duly: Duly) -> None:
    made = ledger_of(lambda ledger: make(ledger, State.LAPSED))
    assert duly("sanctions", "stop", "no.such", "--reason", "why")[0] == Exit.USAGE
    assert duly("sanctions", "stop", "registration.cancel", "--reason", "why", "--by", "Alice")[0] == Exit.OK
    assert duly("sanctions", "cap", "registration.cancel", "5", "--reason", "why")[0] == Exit.OK
    [brake] = duly("sanctions", "brakes")[1]
    assert (brake["stopped"], brake["cap_per_hour"]) == (True, 5)
    ledger_of(lambda ledger: ledger.pool.execute("UPDATE gate_wait SET waiting_for = '{stopped}'"))
    assert duly("sanctions", "release", "registration.cancel", "--reason", "over")[0] == Exit.OK
    [wait] = duly("notices", "show", made.notice_id)[1][0]["wait"]
    assert wait["look_again_at"] is not None


def test_reversal_is_decided_by_the_end_of_its_id(ledger_of: OnLedger, duly: Duly) -> None:
    async def demanded(ledger: PostgresLedger) -> Made:
        made = await make(ledger, State.SANCTIONED)
        await demand(ledger, made, verdict="final")
        return made

    made = ledger_of(demanded)
    named = str(made.sanction_id)[-12:]
    code, [told], _ = duly("sanctions", "rescind", named, "--reason", "it never arrived", "--by", "Carol")
    assert (code, told["state"], told["notice_state"]) == (Exit.OK, "rescinded", "unserved")
    assert duly("sanctions", "uphold", named, "--reason", "late")[0] == Exit.NO
    assert duly("notices", "verify", made.notice_id)[0] == Exit.OK


def test_open_evidence_is_listed_and_cleared_by_name(ledger_of: OnLedger, duly: Duly) -> None:
    row = EvidenceStored(
        IDS.uuid7(), "amqp", "fees", None, "undecodable", "text/plain", "{}", b"\xff", None, None, None, (), "dead"
    )

    async def store(ledger: PostgresLedger) -> None:
        async with ledger.begin() as tx:
            await tx.write([row])

    ledger_of(store)
    assert [each["evidence_id"] for each in duly("evidence", "list")[1]] == [str(row.evidence_id)]
    assert duly("evidence", "clear", row.evidence_id, "--reason", "a test", "--by", "Alice")[0] == Exit.OK
    assert duly("evidence", "list")[1] == []
    [cleared] = duly("evidence", "list", "--state", "cleared")[1]
    assert cleared["outcome"] == "cleared by Alice: a test"


def test_sending_is_released_by_name(ledger_of: OnLedger, duly: Duly) -> None:
    async def stop(ledger: PostgresLedger) -> None:
        async with ledger.begin() as tx:
            await tx.set_sending_brake("a burst of refusals", None, "notifier")

    assert ledger_of(lambda ledger: _column(ledger, "SELECT 1")) == [1]
    assert duly("sending", "show")[0] == Exit.OK
    ledger_of(stop)
    code, [told], _ = duly("sending", "show")
    assert (code, told["reason"]) == (Exit.NO, "a burst of refusals")
    assert duly("sending", "release", "--reason", "mended")[1] == [{"was_stopped": True}]
    assert duly("sending", "show")[0] == Exit.OK


def test_addresses_are_suppressed_once_and_released(ledger_of: OnLedger, duly: Duly) -> None:
    ledger_of(lambda ledger: _column(ledger, "SELECT 1"))
    assert duly("addresses", "suppress", "Owner@Business.Example", "--reason", "asked us")[1][0]["changed"] is True
    assert duly("addresses", "suppress", "owner@business.example", "--reason", "again")[1][0]["changed"] is False
    assert [row["address"] for row in duly("addresses", "list")[1]] == ["owner@business.example"]
    assert duly("addresses", "release", "owner@business.example")[0] == Exit.OK
    assert duly("addresses", "release", "owner@business.example")[0] == Exit.NO
    assert duly("addresses", "suppress", "no address", "--reason", "why")[0] == Exit.USAGE


def test_database_without_schema_or_out_of_reach_says_what_to_do(
    postgres_server: PrivatePostgres, duly: Duly, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DULY_DATABASE_URL", postgres_server.new_database())
    code, _, err = duly("notices", "list")
    assert (code, "duly migrate" in err) == (Exit.UNREACHABLE, True)
    monkeypatch.setenv("DULY_DATABASE_URL", "postgresql://nobody:canary@127.0.0.1:1/none")
    code, _, err = duly("notices", "list")
    assert (code, "canary" in err) == (Exit.UNREACHABLE, False)
