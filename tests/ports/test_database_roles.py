"""deploy/postgres/roles.sql against the migrated schema: each worker may do its work, and nothing else."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from services.cli.run import workers
from services.kernel.adapters.postgres.queries import sql
from tests.rig.postgres import PrivatePostgres
from tests.rig.rabbitmq import RabbitNode
from tests.rig.smtp_sink import SinkProcess
from tests.rig.system import Process, System, fee_outstanding, paid

pytestmark = pytest.mark.asyncio(loop_scope="module")

ROLES = (Path(__file__).parents[2] / "deploy" / "postgres" / "roles.sql").read_text()
KINDS = ("renderer", "notifier", "intake", "callbacks", "bounces", "responses", "deadlines", "sanctions", "webhooks",
         "relay", "inbox", "console", "operator")  # fmt: skip

STATEMENTS: Mapping[str, str] = {
    "intake": "evidence_insert mark_commit gate_wake intake_known intake_keep intake_status intake_root "
    "outbox_append processed_already processed_remember failed_upsert failed_again failed_again_kept failed_resolve "
    "come_again rehearsal_again rehearsals_end standings "
    "evidence_state clock notice_find",
    "callbacks": "evidence_insert callback_keep outbox_append outbox_sent clock",
    "bounces": "evidence_lock evidence_judge attempts_by_id attempts_to notice_lock notice_save notice_opened "
    "hold_place sanctions_of sanction_drop reversal_demand gate_wake gate_wait_end outbox_append "
    "failed_upsert",
    "responses": "evidence_lock evidence_judge notice_find notice_lock notice_save hold_place sanctions_of "
    "sanction_drop reversal_demand gate_wake gate_wait_end outbox_append failed_upsert",
    "deadlines": "deadline_claim_due deadline_pass deadline_current deadline_set notice_lock notice_save inbox_ups "
    "gate_wait_set outbox_append clock",
    "sanctions": "gate_wait_lock brake_lock gate_facts gate_wait_set gate_wait_end sanction_propose sanction_fire "
    "sanction_drop notice_lock notice_save outbox_append failed_upsert",
    "webhooks": "webhook_urls webhook_claim webhook_settle webhooks_next failed_upsert processed_remember",
    "relay": "outbox_unsent outbox_sent failed_due failed_begun attempts_abandon attempts_due notices_unalerted "
    "evidence_unlooked evidence_forsake gate_wake gate_waits_due gate_waits_any webhooks_due waiting "
    "root_days root_heads root_store outbox_append failed_upsert retention_enlist retention_turn retention_claim "
    "retention_facts retention_kept erase_words erase_files evidence_to_erase erase_evidence erase_requests erase_told "
    "erase_failed erase_edits nameless_evidence erase_nameless_callbacks erase_nameless_requests erase_nameless_told "
    "erase_nameless_failed notice_lock notice_save figures runs_open run_settle run_standing "
    "run_hand_out run_rehearse run_again run_save run_has come_again",
    "inbox": "inbox_older inbox_newer inbox_unread inbox_message inbox_answers inbox_file upload_begin "
    "upload_part_add upload_part upload_complete answer_complete answer_refuse evidence_insert "
    "content_view notice_lock notice_save session_begin session_find session_change session_end "
    "session_tidy sign_in_begin sign_in_end access_record inbox_beat inbox_rise gate_wake outbox_append "
    "outbox_sent clock",
    "console": "console_standing console_notices console_words console_accesses console_throughput console_failing "
    "console_holds console_named console_workers session_begin session_find session_change session_end session_tidy "
    "sign_in_begin sign_in_end access_record worker_beat worker_gone figures",
    "operator": "letters letter_count letter_groups letter_message letter_actions letter_beside letter_timeline "
    "letter_holds letter_lock letters_discard letters_restore letters_hurry letters_stop letter_act edits edit_lock "
    "edit_propose edit_close edit_apply runs run_outcomes run_items letter_runs run_begin run_fill run_count run_lock "
    "run_change run_give_up "
    "desk_notices desk_notice desk_holds desk_sanctions desk_dead_find "
    "retention_facts retention_ask legal_hold_turn legal_hold_place legal_hold_lift desk_legal_holds "
    "subject_exports desk_legal_holds_of "
    "desk_legal_hold_covers desk_legal_hold_find desk_retention desk_retention_of desk_chain_contents subject_counts "
    "subject_notices subject_words subject_evidence subject_evidence_body subject_files subject_told subject_requests "
    "subject_failed subject_retention subject_accesses subject_legal_holds subject_due "
    "desk_evidence desk_brake_stop desk_brake_cap sending_brake_release "
    "desk_webhook_add desk_webhook_remove desk_webhook_forget desk_address_suppress desk_address_release "
    "desk_sanction_sign desk_outbox reversal_decide hold_lift hold_place deadline_set evidence_judge "
    "evidence_insert access_record desk_answer waiting "
    "brake_lock desk_brake_waits_lock desk_brakes desk_brake_changes desk_sanction_decline desk_batch_held "
    "desk_batch_keep desk_batch_lock desk_batch_standing desk_batch_judge desk_batch_waits_lock desk_batch_say "
    "desk_sanctions_awaiting desk_evidence_one desk_evidence_body desk_evidence_candidates "
    "desk_batch_end desk_batch_wake desk_batches desk_batch_items desk_batch_judgements gate_facts",
}
"""What each does beyond what the processes below show of it."""

FORBIDDEN = (
    "UPDATE notice_event SET data = '{}'",
    "DELETE FROM notice_event",
    "TRUNCATE notice_event",
    "DELETE FROM raw_evidence",
    "UPDATE raw_evidence SET received_at = now()",
    "DELETE FROM callback_batch",
    "DELETE FROM intake_event",
    "UPDATE mark SET sent_at = now()",
    "UPDATE chain_root SET root = ''",
    "DELETE FROM access_record",
    "DELETE FROM notice",
    "UPDATE notice SET address = 'elsewhere@example.org'",
    "UPDATE notice_content SET content_hash = ''",
    "UPDATE upload SET digest = NULL, size = NULL, media_type = ''",
    "UPDATE legal_hold SET reason = ''",
    "DELETE FROM legal_hold",
    "DELETE FROM retention",
    "UPDATE deadline SET due_at = now()",
    "UPDATE hold SET reason = ''",
    "DELETE FROM hold",
    "DELETE FROM sanction",
    "DELETE FROM sanction_word",
    "INSERT INTO brake_change (kind, change, changed_by, reason) VALUES ('k', 'released', 'nobody', '')",
    "UPDATE brake_change SET changed_by = 'somebody else'",
    "UPDATE brake_batch_item SET sampled = false",
    "UPDATE brake_judgement SET verdict = 'right'",
    "DELETE FROM brake_judgement",
    "DELETE FROM failed_item",
    "ALTER TABLE notice_event DISABLE TRIGGER ALL",
    "CREATE TABLE mine (one integer)",
)
"""What nobody may."""

ALONE = (
    ("INSERT INTO notice_content SELECT * FROM notice_content", {"renderer"}),
    ("UPDATE sanction SET fired_at = now()", {"sanctions"}),
    ("UPDATE deadline SET passed_at = now()", {"deadlines"}),
    ("INSERT INTO mark SELECT * FROM mark", {"intake"}),
    ("INSERT INTO chain_root SELECT * FROM chain_root", {"relay"}),
    ("UPDATE hold SET lifted_at = now()", {"operator"}),
    ("UPDATE notice_content SET body_text = ''", {"relay"}),
    ("UPDATE raw_evidence SET headers = '{}'", {"relay"}),
    ("UPDATE callback_batch SET body = ''", {"relay"}),
    ("UPDATE intake_event SET body = ''", {"relay"}),
    ("UPDATE outbox SET body = ''", {"relay"}),
    ("UPDATE upload SET shown_name = ''", {"relay"}),
    ("INSERT INTO legal_hold SELECT * FROM legal_hold", {"operator"}),
    ("UPDATE legal_hold SET lifted_at = now()", {"operator"}),
    ("INSERT INTO retention SELECT * FROM retention", {"relay", "operator"}),
    ("UPDATE reversal SET decision = 'upheld'", {"operator"}),
    ("UPDATE brake SET stopped = false", {"sanctions", "operator"}),
    ("UPDATE sanction_word SET word = 'release'", {"operator"}),
    ("UPDATE brake_batch SET state = 'released'", {"operator"}),
    ("SELECT token_hash FROM web_session", {"inbox", "console"}),
    ("SELECT verifier FROM sign_in", {"inbox", "console"}),
    ("SELECT bytes FROM upload_part", {"inbox", "operator"}),
)
"""What only these may; the console may what the operations team may."""

NOT_FOR_THE_INBOX = (
    "SELECT request FROM notice_content",
    "SELECT reason FROM hold",
    "SELECT placed_by FROM hold",
    "SELECT decided_by FROM sanction",
    "SELECT * FROM reversal",
    "SELECT body FROM failed_item",
    "SELECT body FROM callback_batch",
    "SELECT body FROM intake_event",
    "SELECT address FROM suppressed_address",
    "SELECT person FROM access_record",
    "SELECT actor FROM notice_event",
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def narrowed(postgres_server: PrivatePostgres, migrated_template: str) -> AsyncIterator[asyncpg.Connection]:
    """A database for all tests of this file."""
    url = postgres_server.new_database(template=migrated_template)
    connection = await asyncpg.connect(url)
    await connection.execute(ROLES)
    yield connection
    await connection.close()
    postgres_server.drop_database(url.partition("@/")[2].partition("?")[0])


@pytest_asyncio.fixture(loop_scope="module")
async def database(narrowed: asyncpg.Connection) -> AsyncIterator[asyncpg.Connection]:
    """The same, and nothing that a test does in it stays."""
    undone = narrowed.transaction()
    await undone.start()
    yield narrowed
    await undone.rollback()


async def refused(database: asyncpg.Connection, kind: str, statement: str) -> bool:
    """Whether the database refuses a statement to this role before it does anything."""
    try:
        async with database.transaction():
            await database.execute(f"SET LOCAL ROLE duly_{kind}")
            await database.execute(statement if not _explainable(statement) else f"EXPLAIN {statement}")
    except asyncpg.InsufficientPrivilegeError:
        return True
    return False


def _explainable(statement: str) -> bool:
    return statement.split(maxsplit=1)[0] in {"SELECT", "INSERT", "UPDATE", "DELETE"}


async def explain(database: asyncpg.Connection, kind: str, name: str) -> str:
    """What a role's rights say to a named statement: nothing, or what it lacks. Planned and checked, never executed."""
    number = len((await database.prepare(sql(name))).get_parameters())
    nulls = f"({', '.join(['NULL'] * number)})" if number else ""
    try:
        async with database.transaction():
            await database.execute(f"PREPARE tried AS {sql(name)}")
            await database.execute(f"SET LOCAL ROLE duly_{kind}")
            await database.execute(f"EXPLAIN EXECUTE tried{nulls}")
    except asyncpg.InsufficientPrivilegeError as fault:
        return f"{kind} {name}: {fault}"
    finally:
        await database.execute("DEALLOCATE tried")
    return ""


async def rights(database: asyncpg.Connection) -> dict[str, list[str]]:
    rows = await database.fetch(
        "SELECT relname, coalesce(relacl::text, '{}') AS acl FROM pg_class WHERE relnamespace = 'public'::regnamespace"
    )
    return {row["relname"]: sorted(row["acl"].strip("{}").split(",")) for row in rows}


async def test_every_worker_has_a_role(database: asyncpg.Connection) -> None:
    rows = await database.fetch("SELECT rolname FROM pg_roles WHERE rolname LIKE 'duly\\_%' AND rolcanlogin")
    assert {row["rolname"] for row in rows} == {f"duly_{kind}" for kind in KINDS}
    assert set(KINDS) >= set(workers()), "a worker without a role cannot work"


async def test_no_role_is_more_than_its_grants(database: asyncpg.Connection) -> None:
    rows = await database.fetch(
        "SELECT rolname FROM pg_roles WHERE rolname LIKE 'duly\\_%' "
        "AND (rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls)"
    )
    assert rows == []


async def test_roles_may_be_made_again(database: asyncpg.Connection) -> None:
    before = await rights(database)
    await database.execute(ROLES)
    assert await rights(database) == before


@pytest.mark.parametrize("kind", STATEMENTS)
async def test_each_may_do_its_work(database: asyncpg.Connection, kind: str) -> None:
    its_work = f"{STATEMENTS['operator']} {STATEMENTS[kind]}" if kind == "console" else STATEMENTS[kind]
    lacking = [await explain(database, kind, name) for name in its_work.split()]
    assert [told for told in lacking if told] == []


@pytest.mark.parametrize("statement", FORBIDDEN)
async def test_nobody_may(database: asyncpg.Connection, statement: str) -> None:
    assert [kind for kind in KINDS if not await refused(database, kind, statement)] == []


@pytest.mark.parametrize(("statement", "who"), ALONE)
async def test_only_some_may(database: asyncpg.Connection, statement: str, who: set[str]) -> None:
    may = who | {"console"} if "operator" in who else who
    assert {kind for kind in KINDS if not await refused(database, kind, statement)} == may


@pytest.mark.parametrize("statement", NOT_FOR_THE_INBOX)
async def test_inbox_cannot_read_what_it_does_not_show(database: asyncpg.Connection, statement: str) -> None:
    assert await refused(database, "inbox", statement)


EVIDENCE = """INSERT INTO raw_evidence (evidence_id, door, received_at, content_type, headers, body, state)
    VALUES (gen_random_uuid(), $1, now(), 'text/plain', '{}', $2, $3)"""


async def test_inbox_sees_the_evidence_of_its_own_door_and_may_not_change_an_answer_that_is_complete(
    database: asyncpg.Connection,
) -> None:
    for door, body, state in (
        ("mail", b"a bounce", "waiting"),
        ("inbox", b"whole", "waiting"),
        ("inbox", b"", "receiving"),
    ):
        await database.execute(EVIDENCE, door, body, state)
    await database.execute("SET LOCAL ROLE duly_inbox")
    assert {row["body"] for row in await database.fetch("SELECT body FROM raw_evidence")} == {b"whole", b""}
    assert await database.execute("UPDATE raw_evidence SET body = 'now', state = 'waiting'") == "UPDATE 1"
    assert await database.execute("UPDATE raw_evidence SET body = 'other'") == "UPDATE 0"
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with database.transaction():
            await database.execute(EVIDENCE, "mail", b"forged", "waiting")


SESSION = """INSERT INTO web_session (token_hash, site, person, shown_name, businesses, language, csrf, began_at,
    seen_at, ends_at) VALUES (sha256($1::text::bytea), $1, 'p', 'P', '[]', 'en', 'c', now(), now(), now())"""


async def test_neither_site_sees_ends_or_makes_a_session_of_the_other(database: asyncpg.Connection) -> None:
    sites = ("inbox", "console")
    for site in sites:
        await database.execute(SESSION, site)
    for site, other in (sites, sites[::-1]):
        async with database.transaction():
            await database.execute(f"SET LOCAL ROLE duly_{site}")
            assert [row["site"] for row in await database.fetch("SELECT site FROM web_session")] == [site]
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                async with database.transaction():
                    await database.execute(SESSION.replace("$1::text", "'forged'"), other)
            assert await database.execute("DELETE FROM web_session") == "DELETE 1"


async def test_all_others_and_above_all_the_gate_see_every_evidence(database: asyncpg.Connection) -> None:
    for door in ("amqp", "http", "mail", "callback", "inbox", "cli"):
        await database.execute(EVIDENCE, door, b"", "waiting")
    for kind in set(KINDS) - {"inbox"}:
        async with database.transaction():
            await database.execute(f"SET LOCAL ROLE duly_{kind}")
            assert await database.fetchval("SELECT count(*) FROM raw_evidence") == 6, kind


# --- workers as processes, each under its own role --------------------------------------------------------------------


@dataclass
class Narrowed(System):
    """A system whose workers sign in as themselves."""

    def spawn(self, worker: str, **more: Any) -> Process:
        """See System."""
        url = re.sub(r"(?<=://)[^@]*(?=@)", f"duly_{worker}", self.database)
        return super().spawn(worker, **{"DULY_DATABASE_URL": url, **more})


@pytest_asyncio.fixture(loop_scope="module")
async def duly(
    trial_database_url: str, rabbit_node: RabbitNode, smtp_sink: SinkProcess, tmp_path: Path
) -> AsyncIterator[Narrowed]:
    rabbit_node.delete_all_queues()
    smtp_sink.behave()
    connection = await asyncpg.connect(trial_database_url)
    await connection.execute(ROLES + "GRANT SELECT ON trial_clock TO PUBLIC")
    await connection.close()
    system = Narrowed(trial_database_url, rabbit_node.url, f"smtp://127.0.0.1:{smtp_sink.port}", tmp_path)
    yield system
    system.stop()


async def test_the_whole_chain_runs_with_least_privilege(duly: Narrowed, smtp_sink: SinkProcess) -> None:
    await duly.start()
    await duly.publish(*map(fee_outstanding, ("unanswered", "paid")))
    for ref in ("unanswered", "paid"):
        await duly.until_state(ref, "served")
    smtp_sink.misbehave("rcpt", "550 5.1.1 no such user")
    await duly.publish(fee_outstanding("unknown"), paid("paid"))
    await duly.until_state("unknown", "unserved")
    await duly.until_state("paid", "satisfied")
    await duly.advance(days=40)
    await duly.until_state("unanswered", "lapsed")
    await duly.until("SELECT count(*) > 0 FROM sanction")
    await duly.advance(days=10)
    await duly.until_state("unanswered", "sanctioned")
    assert await duly.fetch("SELECT worker, reason FROM failed_item") == []
