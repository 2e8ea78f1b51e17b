"""`duly dead-letters`: found by what they hold up, rehearsed, replayed in batches, mended by two persons, given up."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from rich.console import Console

from services.cli import screen
from services.cli.__main__ import run
from services.kernel.adapters.postgres.ledger import PostgresLedger
from services.kernel.domain.changes import EvidenceStored
from services.kernel.ledger import Failure, ItemKey
from services.kernel.runtime.fault import Exit
from tests.rig.commands import Duly, OnLedger, Told
from tests.rig.notices import IDS
from tests.rig.rabbitmq import RabbitNode
from tests.rig.system import CHECKOUT, System, fee_outstanding

NOBODY = UUID(int=0)
BROKEN = b'{"specversion": "1.0", "id": "e'
OBELUS = "Harbour \N{DAGGER} Sons"
PROPOSER, APPROVER = ("--by", "O. Perator"), ("--by", "S. Econd")
GIVEN_UP = "gave up after 7 attempts: KeyError at content.py:73"

STACK = '  File "services/renderer/content.py", line 73, in filled\n    return glyphs[letter]\n'


def request(number: int, *, name: str = "Harbour & Sons", after: float | None = None) -> Failure:
    """A request that the renderer failed over; dead, or to be tried again `after` seconds."""
    event = fee_outstanding(f"fee-{number:02}")
    event["data"]["values"]["business_name"] = name
    body = json.dumps({"specversion": "1.0", "id": f"e{number}", **event}, ensure_ascii=False).encode()
    return Failure(
        ItemKey("fees", f"e{number}", NOBODY), "notice.requested.v1", None, None, "notice.requested.v1",
        "application/cloudevents+json", {"duly-user": "fees", "kept": "yes"}, body, GIVEN_UP, "KeyError", STACK, after,
        None, "aml-supervision/fee-outstanding",
    )  # fmt: skip


def undecodable(number: int) -> Failure:
    """What came to the evidence queue and cannot be read."""
    evidence = EvidenceStored(
        IDS.uuid7(), "amqp", "fees", None, "undecodable", "text/plain", "{}", BROKEN, None, None, None, (), "dead"
    )
    return replace(
        request(number), notice_type=None, type="response.reported.v1", routing_key="response.reported.v1", body=BROKEN,
        reason="not JSON: EOF while parsing", error="DeadLetter", stack="", evidence_id=evidence.evidence_id,
    )  # fmt: skip


async def kept(ledger: PostgresLedger, worker: str, *failures: Failure) -> None:
    """Each in a transaction of its own, so that the first is the oldest."""
    for failure in failures:
        async with ledger.begin() as tx:
            if failure.evidence_id:
                await tx.write([replace(_raw(failure), evidence_id=failure.evidence_id)])
            await tx.finish(worker, [], [failure])


def _raw(failure: Failure) -> EvidenceStored:
    return EvidenceStored(
        NOBODY, "amqp", "fees", None, "undecodable", "text/plain", "{}", failure.body, None, None, None, (), "dead"
    )


async def a_night(ledger: PostgresLedger) -> None:
    """Ten dead requests, of which the fifth still meets a fault; two of undecodable evidence; two pending retries."""
    await kept(ledger, "renderer", *(request(n, name=OBELUS if n == 5 else "Harbour & Sons") for n in range(1, 11)))
    await kept(ledger, "intake", undecodable(20), undecodable(21))
    await kept(ledger, "renderer", request(31, after=3600.0), request(32, after=3600.0))


@pytest.fixture
def system(database_url: str, rabbit_node: RabbitNode, tmp_path: Path) -> Iterator[System]:
    """Workers around the database of the commands; a test starts those that it needs."""
    rabbit_node.delete_all_queues()
    made = System(database_url, rabbit_node.url, "smtp://127.0.0.1:1", tmp_path)
    yield made
    made.stop()


def start(system: System) -> None:
    """relay, intake, and a renderer that fails over some names."""
    processes = [system.spawn("relay"), system.spawn("intake")]
    processes.append(system.spawn("renderer", program=("-m", "tests.rig.brittle_renderer")))
    asyncio.run(system.ready(*processes))


def value(system: System, query: str, *arguments: Any) -> Any:
    return asyncio.run(system.value(query, *arguments))


def ids(rows: list[Told]) -> list[str]:
    return [row["failed_id"] for row in rows]


# --- the operations team's day ----------------------------------------------------------------------------------------


def test_a_day_group_at_risk_rehearsed_replayed_in_batches_one_fails_again_is_mended_by_two_and_all_is_done(
    ledger_of: OnLedger, duly: Duly, system: System, tmp_path: Path
) -> None:
    ledger_of(a_night)
    start(system)

    groups = duly("dead-letters", "groups")[1]
    assert [(each["number"], each["impact"], each["worker"]) for each in groups] == [
        (2, "blocks_sanction", "intake"), (10, "deadline_at_risk", "renderer"),
    ]  # fmt: skip
    at_risk = groups[1]
    assert (at_risk["cause"], at_risk["template"]) == ("KeyError at content.py:73", "aml-supervision/fee-outstanding")
    group = ("--like", at_risk["example"])

    code, verdicts, _ = duly("dead-letters", "replay", *group, "--dry-run", "--wait", "60")
    assert code == Exit.NO
    assert [each["outcome"] for each in verdicts] == ["safe"] * 4 + ["unsafe"] + ["safe"] * 5
    assert "KeyError" in verdicts[4]["why"]
    assert all(each["effects"] for each in verdicts if each["outcome"] == "safe")
    assert value(system, "SELECT count(*) FROM notice") == 0
    assert len(duly("dead-letters", "list", *group)[1]) == 10

    replay = ("dead-letters", "replay", *group, "--steps", "1,2,5", "--rate", "none", "--reason", "glyphs mended")
    code, looks, _ = duly(*replay, *PROPOSER)
    stopped = looks[-1]
    assert (code, stopped["state"], stopped["batch"]) == (Exit.NO, "stopped", 3)
    assert (stopped["outcomes"], stopped["to_go"]) == ({"done": 7, "failed": 1}, 2)
    assert "KeyError" in stopped["why"]
    assert [each["ended"] for each in looks] == sorted(each["ended"] for each in looks)

    [again] = [row for row in duly("dead-letters", "list", "--impact", "deadline_at_risk")[1] if row["replays"]]
    whole = duly("dead-letters", "show", again["failed_id"])[1][0]
    assert [each["error"] for each in whole["attempts"]] == ["KeyError", "KeyError"]
    assert [each["outcome"] for each in whole["runs"]] == ["unsafe", "failed"]

    mended = mended_by_two(duly, again["failed_id"], tmp_path)
    assert mended["outcomes"] == {"done": 1}

    code, looks, _ = duly("dead-letters", "resume", stopped["run_id"], "--reason", "that one is mended", *PROPOSER)
    assert (code, looks[-1]["state"]) == (Exit.OK, "finished")
    assert looks[-1]["outcomes"] == {"done": 9, "failed": 1}
    assert duly("dead-letters", "list", "--impact", "deadline_at_risk")[1] == []
    assert value(system, "SELECT count(*) FROM notice WHERE state = 'rendered'") == 10
    assert [(each["kind"], each["state"]) for each in duly("dead-letters", "runs")[1]] == [
        ("replay", "finished"), ("replay", "finished"), ("rehearsal", "finished"),
    ]  # fmt: skip


def mended_by_two(duly: Duly, failed_id: str, folder: Path) -> Told:
    """A change of what is locked is refused; that of the name is proposed, and approved by the second of two."""
    message = json.loads(duly("dead-letters", "show", failed_id)[1][0]["decoded"]["text"])
    file = folder / "mended.json"
    file.write_text(json.dumps({**message, "data": {**message["data"], "source_ref": "fee-99"}}))
    edit = ("dead-letters", "edit", failed_id, "--file", file, "--reason", "no glyph")
    code, _, err = duly(*edit, *PROPOSER)
    assert (code, "data.source_ref" in err) == (Exit.NO, True)

    message["data"]["values"]["business_name"] = "Harbour and Sons"
    file.write_text(json.dumps(message))
    code, [proposal], _ = duly(*edit, *PROPOSER)
    assert code == Exit.OK
    assert [(each["path"], each["locked"]) for each in proposal["changes"]] == [("data.values.business_name", False)]
    assert [each["edit_id"] for each in duly("dead-letters", "edits")[1]] == [proposal["edit_id"]]

    approve = ("dead-letters", "approve", proposal["edit_id"], "--reason", "compared with upstream")
    code, _, err = duly(*approve, *PROPOSER)
    assert (code, "does not approve" in err) == (Exit.NO, True)
    code, looks, _ = duly(*approve, *APPROVER)
    assert (code, looks[-1]["state"]) == (Exit.OK, "finished")
    return looks[-1]


def test_pending_retries_are_shown_hurried_and_stopped(ledger_of: OnLedger, duly: Duly, system: System) -> None:
    ledger_of(a_night)
    start(system)
    first, second = duly("dead-letters", "retries")[1]
    assert (first["state"], first["next_at"] > first["changed_at"]) == ("retry", True)
    assert duly("dead-letters", "hurry", first["failed_id"], "--reason", "it is back")[1] == [
        {"named": 1, "done": 1, "skipped": 0}
    ]
    state = "SELECT state FROM failed_item WHERE failed_id = $1"
    asyncio.run(system.until(state, "resolved", UUID(first["failed_id"])))
    assert duly("dead-letters", "stop", second["failed_id"], "--reason", "never")[0] == Exit.OK
    assert value(system, state, UUID(second["failed_id"])) == "dead"
    assert duly("dead-letters", "hurry", "--all", "--reason", "none is left") == (
        Exit.NO, [{"named": 0, "done": 0, "skipped": 0}], "",
    )  # fmt: skip


# --- who does not answer ----------------------------------------------------------------------------------------------


def test_dry_run_that_nobody_answers_names_who_is_silent_and_goes_on_by_itself(
    ledger_of: OnLedger, duly: Duly, system: System
) -> None:
    ledger_of(a_night)
    asked = ("dead-letters", "replay", "--all", "--worker", "renderer", "--dry-run", "--wait", "0.5")
    code, told, err = duly(*asked)
    assert (code, told) == (Exit.UNREACHABLE, [])
    assert "relay does not answer" in err
    assert "duly run relay" in err
    [rehearsal] = duly("dead-letters", "runs", "--open")[1]

    asyncio.run(system.start("relay"))
    asyncio.run(system.until("SELECT count(*) FROM replay_item WHERE batch IS NOT NULL", 10))
    code, _, err = duly("dead-letters", "run", rehearsal["run_id"], "--wait", "0.5")
    assert (code, "renderer does not answer" in err) == (Exit.UNREACHABLE, True)

    asyncio.run(system.start("renderer"))
    code, verdicts, _ = duly("dead-letters", "run", rehearsal["run_id"])
    assert (code, [each["outcome"] for each in verdicts]) == (Exit.OK, ["safe"] * 10)


def test_run_without_workers_is_detached_paused_resumed_and_cancelled(ledger_of: OnLedger, duly: Duly) -> None:
    ledger_of(a_night)
    everything = ("dead-letters", "replay", "--all")
    code, [begun], _ = duly(*everything, "--worker", "renderer", "--reason", "mended", "--detach", *PROPOSER)
    assert (code, begun["state"], begun["total"], begun["begun_by"]) == (Exit.OK, "running", 10, "O. Perator")
    one = (begun["run_id"], "--reason", "wait for the release")
    assert duly("dead-letters", "resume", *one)[0] == Exit.NO
    assert duly("dead-letters", "pause", *one)[1][0]["state"] == "stopped"
    code, [look], _ = duly("dead-letters", "run", begun["run_id"])
    assert (code, look["state"], look["to_go"]) == (Exit.NO, "stopped", 10)
    assert duly("dead-letters", "resume", *one, "--detach")[1][0]["state"] == "running"
    assert duly("dead-letters", "cancel", *one)[1][0]["outcomes"] == {"cancelled": 10}
    assert duly("dead-letters", "cancel", *one)[0] == Exit.NO
    assert len(duly("dead-letters", "list")[1]) == 12


# --- lists, and what else persons do ----------------------------------------------------------------------------------


def test_list_is_paged_by_the_last_of_the_page_before_and_filtered_by_what_they_have_in_common(
    ledger_of: OnLedger, duly: Duly
) -> None:
    ledger_of(a_night)
    whole = ids(duly("dead-letters", "list")[1])
    pages: list[str] = []
    while page := ids(duly("dead-letters", "list", "--limit", "5", *(("--after", pages[-1]) if pages else ()))[1]):
        pages += page
    assert (len(whole), pages) == (12, whole)

    def number(*filters: str) -> int:
        return len(duly("dead-letters", "list", *filters)[1])

    assert number("--worker", "intake") == number("--impact", "blocks_sanction") == number("--text", "PARSING") == 2
    assert number("--cause", "KeyError at content.py:73") == number("--type", "notice.requested.v1") == 10
    assert number("--template", "aml-supervision/fee-outstanding", "--since", "1h") == 10
    assert number("--text", "fee-07") == number("--text", OBELUS) == number("--text", "no such") + 1 == 1
    assert number("--state", "all") == 14
    assert number("--since", "2099-01-01") == 0
    assert duly("dead-letters", "list", "--since", "yesterday")[0] == Exit.USAGE


@pytest.mark.parametrize("by", ["cause", "impact", "worker", "type", "template"])
def test_groups_are_counted_by_one_property_the_gravest_first(ledger_of: OnLedger, duly: Duly, by: str) -> None:
    ledger_of(a_night)
    groups = duly("dead-letters", "groups", "--by", by)[1]
    assert [(each["number"], each["impact"]) for each in groups] == [(2, "blocks_sanction"), (10, "deadline_at_risk")]


def test_what_is_discarded_is_kept_and_can_be_restored_and_notes_stay(ledger_of: OnLedger, duly: Duly) -> None:
    ledger_of(a_night)
    one = ids(duly("dead-letters", "list")[1])[0]
    assert duly("dead-letters", "note", one, "asked upstream", *PROPOSER)[1][0]["note"] == "asked upstream"
    discard = ("dead-letters", "discard", "--like", one, "--reason", "sent again by upstream")
    assert duly(*discard, *PROPOSER)[1] == [{"named": 10, "done": 10, "skipped": 0}]
    assert len(duly("dead-letters", "list", "--state", "discarded")[1]) == 10
    assert duly("dead-letters", "discard", one, "--reason", "again")[0] == Exit.NO
    assert duly("dead-letters", "replay", one, "--reason", "why not")[0] == Exit.NO
    assert duly("dead-letters", "restore", one, "--reason", "it was needed", *APPROVER)[0] == Exit.OK
    whole = duly("dead-letters", "show", one)[1][0]
    assert whole["letter"]["state"] == "dead"
    assert [(each["actor"], each["action"], each["reason"]) for each in whole["actions"]] == [
        ("O. Perator", "note", "asked upstream"),
        ("O. Perator", "discard", "sent again by upstream"),
        ("S. Econd", "restore", "it was needed"),
    ]


def test_nothing_is_chosen_by_an_oversight(ledger_of: OnLedger, duly: Duly) -> None:
    ledger_of(a_night)
    one = ids(duly("dead-letters", "list")[1])[0]
    for wrong in (
        ("replay", "--reason", "all?"),
        ("replay", one, "--all", "--reason", "both?"),
        ("discard", one, "--worker", "renderer", "--reason", "both?"),
        ("replay", "--worker", "renderer", "--reason", "no --all"),
        ("replay", one),
        ("replay", one, "--reason", "x", "--steps", "1,many"),
        ("replay", one, "--reason", "x", "--steps", "0"),
        ("replay", one, "--reason", "x", "--rate", "fast"),
        ("replay", one, "--reason", "x", "--rate", "-1"),
    ):
        assert duly("dead-letters", *wrong)[0] == Exit.USAGE, wrong
    assert duly("dead-letters", "runs")[1] == []
    assert duly("dead-letters", "run", "0000")[0] == Exit.NO


def test_show_decodes_the_message_and_its_body_alone_is_written_as_it_is(
    ledger_of: OnLedger, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    ledger_of(a_night)
    assert run(["dead-letters", "list", "--worker", "intake", "--json"]) == Exit.OK
    broken = json.loads(capfdbinary.readouterr().out.splitlines()[0])["failed_id"]
    assert run(["dead-letters", "show", broken, "--body"]) == Exit.OK
    assert capfdbinary.readouterr().out == BROKEN
    assert run(["dead-letters", "show", broken]) == Exit.OK
    shown = capfdbinary.readouterr().out.decode()
    assert "cannot be read" in shown
    assert "blocks a sanction" in shown
    assert run(["dead-letters", "list", "--worker", "renderer", "--json"]) == Exit.OK
    sound = json.loads(capfdbinary.readouterr().out.splitlines()[0])["failed_id"]
    assert run(["dead-letters", "show", sound]) == Exit.OK
    shown = capfdbinary.readouterr().out.decode()
    assert '"business_name": "Harbour & Sons"' in shown
    assert 'File "services/renderer/content.py", line 73, in filled' in shown
    assert "header kept: yes" in shown


def test_undecodable_message_is_replaced_by_an_approved_edit_that_says_which_it_is(
    ledger_of: OnLedger, duly: Duly, system: System, tmp_path: Path
) -> None:
    ledger_of(a_night)
    start(system)
    broken = ids(duly("dead-letters", "list", "--worker", "intake")[1])[0]
    file = tmp_path / "mended.json"
    said = {"source_ref": "fee-01", "kind": "question"}
    file.write_text(json.dumps({"specversion": "1.0", "id": "e20", "source": "fees", "data": said}))
    edit = ("dead-letters", "edit", broken, "--file", file, "--reason", "it was cut off")
    code, _, err = duly(*edit, *PROPOSER)
    assert (code, "type" in err) == (Exit.USAGE, True)
    event = {"specversion": "1.0", "id": "e20", "source": "fees", "type": "response.reported.v1", "data": said}
    file.write_text(json.dumps(event))
    [proposal] = duly(*edit, *PROPOSER)[1]
    assert duly("dead-letters", "reject", proposal["edit_id"], "--reason", "ask first")[1][0]["state"] == "rejected"
    [proposal] = duly(*edit, *PROPOSER)[1]
    code, looks, _ = duly("dead-letters", "approve", proposal["edit_id"], "--reason", "upstream confirms", *APPROVER)
    assert (code, looks[-1]["outcomes"]) == (Exit.OK, {"done": 1})
    assert broken not in ids(duly("dead-letters", "list", "--worker", "intake")[1])


def test_ctrl_c_ends_the_watching_and_not_the_replay(
    ledger_of: OnLedger, duly: Duly, database_url: str, tmp_path: Path
) -> None:
    ledger_of(a_night)
    asked = [sys.executable, "-m", "services.cli", "dead-letters", "replay", "--all", "--reason", "mended", "--json"]
    env = {**os.environ, "DULY_DATABASE_URL": database_url}
    with (tmp_path / "errors").open("wb") as errors:
        watching = subprocess.Popen(asked, cwd=CHECKOUT, env=env, stdout=subprocess.PIPE, stderr=errors)
    with watching:
        run_id = json.loads(watching.stdout.readline())["run_id"]
        watching.send_signal(signal.SIGINT)
    assert watching.returncode == 130
    said = (tmp_path / "errors").read_text()
    assert f"duly dead-letters run {run_id}" in said
    assert f"duly dead-letters cancel {run_id}" in said
    assert [each["state"] for each in duly("dead-letters", "runs")[1]] == ["running"]


def test_editor_changes_the_message_in_a_terminal_and_a_refused_text_is_kept(
    ledger_of: OnLedger, duly: Duly, database_url: str, tmp_path: Path
) -> None:
    ledger_of(a_night)
    one = ids(duly("dead-letters", "list", "--text", OBELUS)[1])[0]
    code, _, err = duly("dead-letters", "edit", one, "--reason", "no terminal here")
    assert (code, "--file" in err) == (Exit.USAGE, True)

    def edited(by: str) -> tuple[int, str]:
        env = {**os.environ, "DULY_DATABASE_URL": database_url, "EDITOR": f"sed -i {by}", "TMPDIR": str(tmp_path)}
        asked = [sys.executable, "-m", "services.cli", "dead-letters", "edit", one, "--reason", "no glyph"]
        return in_terminal(asked, env)

    code, shown = edited("s/fee-05/fee-99/")
    assert (code, "locked" in shown) == (Exit.NO, True)
    [kept_text] = tmp_path.glob("dead-letter-*.json")
    assert str(kept_text.name) in shown
    kept_text.unlink()
    assert edited("s/nothing/at-all/")[0] == Exit.NO
    code, shown = edited("s/\N{DAGGER}/and/")
    assert (code, "waits for another person" in shown) == (Exit.OK, True)
    assert list(tmp_path.glob("dead-letter-*")) == []
    [proposal] = duly("dead-letters", "edits")[1]
    assert [each["path"] for each in proposal["changes"]] == ["data.values.business_name"]


def in_terminal(asked: list[str], env: dict[str, str]) -> tuple[int, str]:
    """Run a command in a terminal: its exit code, and all that it wrote."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(asked, cwd=CHECKOUT, env={**env, "COLUMNS": "100"}, stdout=theirs, stderr=theirs)
    os.close(theirs)
    text = b""
    with suppress(OSError):  # the end of a terminal
        while chunk := os.read(ours, 65_536):
            text += chunk
    os.close(ours)
    return process.wait(), text.decode()


@pytest.mark.parametrize("width", [80, 120])
def test_every_screen_fits_its_terminal(
    ledger_of: OnLedger, duly: Duly, monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    ledger_of(a_night)
    one = ids(duly("dead-letters", "list")[1])[0]
    duly("dead-letters", "note", one, "asked upstream")
    begun = duly("dead-letters", "replay", "--all", "--reason", "mended", "--detach")[1][0]
    duly("dead-letters", "cancel", begun["run_id"], "--reason", "not yet")
    shown = Console(file=StringIO(), force_terminal=True, width=width, highlight=False)
    monkeypatch.setattr(screen, "console", lambda: shown)
    for asked in (["list"], ["groups"], ["show", one], ["retries"], ["runs"], ["run", begun["run_id"]], ["edits"]):
        run(["dead-letters", *asked])
    lines = re.sub(r"\x1b\[[0-9;]*m", "", shown.file.getvalue()).splitlines()
    assert len(lines) > 50
    assert [line for line in lines if len(line) > width] == []
