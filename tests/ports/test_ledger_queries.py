"""Every named statement against the migrated database, and the law's words against the database's own."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import fields
from pathlib import Path
from typing import get_args

import asyncpg
import pytest

from services.kernel.adapters.postgres import writes
from services.kernel.adapters.postgres.queries import queries, read, sql
from services.kernel.adapters.postgres.rows import NOTICE_COLUMNS
from services.kernel.domain.changes import Change, ContentStored, Row
from services.kernel.domain.holds import HoldKind
from services.kernel.domain.impact import Impact
from services.kernel.domain.notice import TABLE, Arrow, Channel, Notice, Origin, State
from services.kernel.domain.verdict import Verdict
from services.kernel.runtime.dead_letters.records import Ended, Kind

SCHEMA = Path(__file__).parents[2] / "schemas" / "database" / "migrations"
ROWS = get_args(Row)
WITH_A_WAY_OF_THEIR_OWN = {"NoticeInserted", "NoticeSaved", "FactAppended", "ContentStored", "Announced"}


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(database_url)
    yield connection
    await connection.close()


async def columns_of(database: asyncpg.Connection, table: str) -> list[str]:
    rows = await database.fetch(
        "SELECT attname FROM pg_attribute WHERE attrelid = $1::text::regclass AND attnum > 0 AND NOT attisdropped "
        "ORDER BY attnum",
        table,
    )
    return [row["attname"] for row in rows]


async def allowed(database: asyncpg.Connection, table: str, column: str) -> set[str]:
    """The words that a column's CHECK allows."""
    checks = await database.fetch(
        "SELECT pg_get_constraintdef(c.oid) AS said FROM pg_constraint c JOIN pg_attribute a "
        "ON a.attrelid = c.conrelid AND c.conkey = ARRAY[a.attnum] WHERE c.conrelid = $1::text::regclass "
        "AND a.attname = $2 AND c.contype = 'c'",
        table, column,
    )  # fmt: skip
    return {word for check in checks for word in re.findall(r"'(\w+)'", check["said"])}


# --- statements -------------------------------------------------------------------------------------------------------


async def test_every_named_statement_prepares_against_the_migrated_database(database: asyncpg.Connection) -> None:
    for name, text in queries().items():
        try:
            await database.prepare(text)
        except asyncpg.PostgresError as fault:
            pytest.fail(f"{name}: {fault}")


def test_every_named_statement_says_in_one_line_what_it_does() -> None:
    assert [name for name, text in queries().items() if not re.match(r"-- \w", text)] == []


def test_a_fragment_stands_in_every_statement_that_names_it_without_its_comments() -> None:
    files = {
        "a.sql": "-- fragment: whole\n-- What.\na + {{part}};\n\n-- name: one\n-- One.\nSELECT {{whole}} FROM t;\n",
        "b.sql": "-- fragment: part\n-- A part.\nb;\n\n-- name: two\n-- Two.\nSELECT {{part}};\n",
    }
    assert read(files) == {"one": "-- One.\nSELECT a + b FROM t", "two": "-- Two.\nSELECT b"}


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("-- name: one\n-- One.\nSELECT {{nothing}};", "one: the fragment nothing is not there"),
        ("-- fragment: a\n-- A.\n{{a}};\n-- name: one\n-- One.\nSELECT {{a}};", "one: the fragment a contains itself"),
        ("-- name: one\n-- One.\n1;\n-- name: one\n-- One.\n2;", "the statement one exists already"),
        ("-- fragment: a\n-- A.\n1;\n-- fragment: a\n-- A.\n2;", "the fragment a exists already"),
    ],
)
def test_a_fragment_at_fault_is_told_by_its_statement(text: str, fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        read({"a.sql": text})


def test_no_fragment_is_left_unread() -> None:
    assert [name for name, text in queries().items() if "{{" in text] == []


def test_the_impacts_of_the_database_are_those_of_the_law() -> None:
    words = re.findall(r"'(\w+)'\]\)\[min|THEN '(\w+)'|ELSE '(\w+)'", sql("figures"))
    assert {word for found in words for word in found if word} >= set(Impact)
    ordered = re.search(r"\(ARRAY\[([^\]]+)\]\)\[min", sql("letter_groups"))
    assert ordered is not None
    assert re.findall(r"'(\w+)'", ordered[1]) == list(Impact), "in the order of gravity"


async def test_the_outcomes_of_an_item_of_a_run_are_verdicts_and_ends(database: asyncpg.Connection) -> None:
    assert await allowed(database, "replay_item", "outcome") == {*Verdict, *Ended}
    assert await allowed(database, "replay_run", "kind") == set(Kind)


@pytest.mark.parametrize("change", ROWS, ids=lambda change: change.__name__)
async def test_the_parameters_of_a_rows_statement_are_its_fields(
    database: asyncpg.Connection, change: type[Row]
) -> None:
    parameters = (await database.prepare(sql(change.statement))).get_parameters()
    assert len(parameters) == len(fields(change))
    assert all(parameter.kind == "array" for parameter in parameters), "each takes a column of values"


def test_every_change_has_its_way_into_the_database() -> None:
    assert {change.__name__ for change in get_args(Change)} == {row.__name__ for row in ROWS} | WITH_A_WAY_OF_THEIR_OWN


async def test_what_is_copied_in_names_columns_that_are_there(database: asyncpg.Connection) -> None:
    assert set(writes.SAVED_COLUMNS) <= set(NOTICE_COLUMNS)
    assert set(writes.EVENT_COLUMNS) == set(await columns_of(database, "notice_event"))
    content = {field.name for field in fields(ContentStored)}
    first_view = {"first_viewed_at", "first_viewed_by"}
    assert content == set(await columns_of(database, "notice_content")) - first_view - {"erased_at"}


# --- words ------------------------------------------------------------------------------------------------------------


async def test_the_notices_fields_are_its_tables_columns_in_order_then_its_trace(database: asyncpg.Connection) -> None:
    assert [*await columns_of(database, "notice"), "traceparent"] == [field.name for field in fields(Notice)]
    assert list(writes.TRACE_COLUMNS) == await columns_of(database, "notice_trace")


async def test_the_laws_words_are_the_databases_words(database: asyncpg.Connection) -> None:
    assert await allowed(database, "notice", "state") == {state.value for state in State}
    assert await allowed(database, "notice", "channel") == {channel.value for channel in Channel}
    assert await allowed(database, "notice", "origin") == {origin.value for origin in Origin}
    assert await allowed(database, "hold", "kind") == {kind.value for kind in HoldKind}


async def test_the_databases_arrows_are_the_laws_table(database: asyncpg.Connection) -> None:
    guard = await database.fetchval("SELECT prosrc FROM pg_proc WHERE proname = 'guard_state'")
    held = set(re.findall(r"\('(\w+)', '(\w+)'\)", guard))
    law = {(before.value, found.to.value) for (before, _), found in TABLE.items() if isinstance(found, Arrow)}
    assert held == law


# --- what no worker may get wrong -------------------------------------------------------------------------------------

NOTICE = """
INSERT INTO notice (notice_id, source, source_ref, data_hash, regime, notice_type, matter, business_id, channel, origin,
    language, address, template_version, template_hash, trial, state, seq, chain_head, accepted_at, rendered_at,
    content_available_at, alert_accepted_at, served_at, deemed_on, deadline_version, deadline_at, lapsed_at)
VALUES (gen_random_uuid(), 'fees', $1, '', 'aml', 'fee', $2, 'B', 'secure_comm', 'automatic', 'en', 'a@b.example', '1',
    '', false, $3, 1, '', now(), now(), now(), now(), now(), '2026-11-01', 1, now() - interval '1 day', $4)
RETURNING notice_id"""
SANCTION = """
INSERT INTO sanction (sanction_id, notice_id, deadline_version, regime, matter, kind, automatic, state, proposed_at,
    objections_until, fired_at)
VALUES (gen_random_uuid(), $1, 1, 'aml', 'M', 'cancel', true, $2::text, now(), now(),
    CASE WHEN $2::text = 'proposed' THEN NULL ELSE now() END)
RETURNING sanction_id"""
DEADLINE = """
INSERT INTO deadline
VALUES ($1, 1, '2026-11-01', 21, '2026-11-22', now() + interval '1 hour', 'Europe/London', 'r', 'v')"""
STAMPS = {
    "satisfied": "satisfied_at", "closed": "closed_at", "sanctioned": "sanctioned_at", "unserved": "unserved_at",
    "withdrawn": "withdrawn_at",
}  # fmt: skip


async def a_notice(database: asyncpg.Connection, ref: str, state: str, matter: str = "M") -> object:
    lapsed = await database.fetchval("SELECT now()") if state == "lapsed" else None
    return await database.fetchval(NOTICE, ref, matter, state, lapsed)


async def a_sanction(database: asyncpg.Connection, notice_id: object, state: str) -> object:
    return await database.fetchval(SANCTION, notice_id, state)


@pytest.mark.parametrize(
    "statement", ["UPDATE notice_event SET kind = 'other'", "DELETE FROM notice_event", "TRUNCATE notice_event"]
)
async def test_evidence_is_append_only(database: asyncpg.Connection, statement: str) -> None:
    await database.execute("INSERT INTO notice_event VALUES (gen_random_uuid(), 1, 'k', now(), 'me', '{}', '')")
    with pytest.raises(asyncpg.CheckViolationError, match="append-only"):
        await database.execute(statement)


@pytest.mark.parametrize("state", [state.value for state in State if state is not State.LAPSED])
async def test_no_sanction_fires_unless_its_notice_is_lapsed(database: asyncpg.Connection, state: str) -> None:
    notice_id = await a_notice(database, "n", "lapsed")
    await a_sanction(database, notice_id, "proposed")
    stamp = f", {STAMPS[state]} = now()" if state in STAMPS else ""
    await database.execute("ALTER TABLE notice DISABLE TRIGGER notice_state")
    await database.execute(f"UPDATE notice SET state = $1{stamp}", state)
    with pytest.raises(asyncpg.CheckViolationError, match=f"notice .* is {state}"):
        await database.execute("UPDATE sanction SET state = 'fired', fired_at = now()")
    await database.execute("DELETE FROM sanction")
    with pytest.raises(asyncpg.CheckViolationError, match="cannot fire"):
        await a_sanction(database, notice_id, "fired")


async def test_a_sanction_fires_on_a_lapsed_notice_and_only_one_a_matter(database: asyncpg.Connection) -> None:
    first, second = [await a_notice(database, ref, "lapsed") for ref in ("one", "two")]
    await a_sanction(database, first, "fired")
    with pytest.raises(asyncpg.UniqueViolationError, match="sanction_one_effective"):
        await a_sanction(database, second, "fired")
    await database.execute("UPDATE sanction SET state = 'rescinded'")
    await a_sanction(database, second, "fired")


async def test_states_move_only_along_the_table(database: asyncpg.Connection) -> None:
    await a_notice(database, "n", "served")
    with pytest.raises(asyncpg.CheckViolationError, match="cannot go from served to rendered"):
        await database.execute("UPDATE notice SET state = 'rendered'")


@pytest.mark.parametrize(
    ("change", "guard"),
    [
        ("alert_accepted_at = NULL", "served_needs_both_facts"),
        ("content_available_at = NULL", "served_needs_both_facts"),
        ("served_at = NULL", "served_is_dated"),
        ("deemed_on = NULL", "served_is_dated"),
        ("deadline_version = NULL", "deadline_has_a_version"),
        ("lapsed_at = deadline_at - interval '1 microsecond'", "lapsed_had_a_deadline"),
        ("unserved_at = now()", "unserved_is_dated"),
        ("state = 'lapsed'", "lapsed_is_dated"),
        ("state = 'satisfied'", "satisfied_is_dated"),
        ("asked_days = 7", "shorter_is_approved"),
    ],
)
async def test_a_state_is_bound_to_its_evidence(database: asyncpg.Connection, change: str, guard: str) -> None:
    await a_notice(database, "n", "served")
    with pytest.raises(asyncpg.CheckViolationError) as refused:
        await database.execute(f"UPDATE notice SET {change}")
    assert refused.value.constraint_name == guard


async def test_no_timer_passes_early(database: asyncpg.Connection) -> None:
    notice_id = await a_notice(database, "n", "served")
    await database.execute(DEADLINE, notice_id)
    with pytest.raises(asyncpg.CheckViolationError) as refused:
        await database.execute("UPDATE deadline SET passed_at = now()")
    assert refused.value.constraint_name == "never_early"


async def test_a_reversal_is_demanded_once(database: asyncpg.Connection) -> None:
    sanction_id = await a_sanction(database, await a_notice(database, "n", "lapsed"), "fired")
    demand = "INSERT INTO reversal (sanction_id, reason, required_at) VALUES ($1, 'r', now())"
    await database.execute(demand, sanction_id)
    with pytest.raises(asyncpg.UniqueViolationError):
        await database.execute(demand, sanction_id)
