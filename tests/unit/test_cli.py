"""The command line: exit codes, words for faults, and output for people and for programs."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from services.cli import run as running
from services.cli import screen
from services.cli.__main__ import run
from services.cli.screen import Column
from services.kernel.runtime.fault import Exit, Fault


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Console:
    shown = Console(file=io.StringIO(), force_terminal=True, width=60, highlight=False, color_system="standard")
    monkeypatch.setattr(screen, "console", lambda: shown)
    monkeypatch.setattr(screen, "errors", lambda: shown)
    return shown


def written(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_version_and_help_answer_zero(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == Exit.OK
    assert capsys.readouterr().out.startswith("duly ")
    assert run(["--help"]) == Exit.OK
    assert "Exit codes" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [["nonsense"], ["bounces", "classify", "--jso"], ["run", "a", "b"]])
def test_wrong_command_line_is_two_and_says_where_help_is(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(arguments) == Exit.USAGE
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith("duly: ")
    assert "--help" in told.err


def test_wrong_setting_is_two_and_names_the_variable_without_its_value(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DULY_DATABASE_URL", "mysql://canary@db")
    assert run(["migrate"]) == Exit.USAGE
    told = capsys.readouterr().err
    assert "DULY_DATABASE_URL" in told
    assert "canary" not in told


def test_database_that_is_away_is_three_and_shows_no_password(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DULY_DATABASE_URL", "postgresql://duly:canary@127.0.0.1:1/duly")
    assert run(["migrate"]) == Exit.UNREACHABLE
    told = capsys.readouterr().err
    assert "127.0.0.1:1" in told
    assert "to do" in told
    assert "canary" not in told


def test_classify_writes_one_object_a_file_and_fails_on_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mail = tmp_path / "mail with space.eml"
    mail.write_bytes(b"Subject: hello\r\n\r\nbody\r\n")
    listed = tmp_path / "list"
    listed.write_text(f"{mail}\n\n{tmp_path / 'missing'}\n")
    assert run(["bounces", "classify", "--json", str(mail), "--files-from", str(listed)]) == Exit.OK
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["file"] for line in told] == [str(mail), str(mail), str(tmp_path / "missing")]
    assert {tuple(line) for line in told} == {("file", "verdict", "recipients", "reasons")}


def test_classify_takes_its_list_from_standard_input(tmp_path: Path) -> None:
    mail = tmp_path / "mail.eml"
    mail.write_bytes(b"Subject: hello\r\n\r\nbody\r\n")
    command = [sys.executable, "-m", "services.cli", "bounces", "classify", "--files-from", "-"]
    done = subprocess.run(command, input=f"{mail}\n", capture_output=True, text=True, check=True)
    heading, row = done.stdout.splitlines()
    assert heading.split("\t") == ["file", "verdict", "failed", "reasons"]
    assert row.split("\t")[:2] == [str(mail), "other"]


def test_classify_without_files_is_told_what_to_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["bounces", "classify"]) == Exit.USAGE
    assert run(["bounces", "classify", "--files-from", "/no/such/list"]) == Exit.USAGE
    assert "/no/such/list" in capsys.readouterr().err


def test_reader_who_has_enough_makes_no_noise(tmp_path: Path) -> None:
    mail = tmp_path / "mail.eml"
    mail.write_bytes(b"\r\n\r\n")
    listed = tmp_path / "list"
    listed.write_text(f"{mail}\n" * 3000)
    command = f"{sys.executable} -m services.cli bounces classify --json --files-from {listed} | head -1"
    done = subprocess.run(["/bin/sh", "-c", command], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert len(done.stdout.splitlines()) == 1


def test_unknown_worker_is_told_the_known_ones(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "workers", lambda: {"notifier": "Sends.", "bounces": "Reads."})
    assert run(["run", "notify"]) == Exit.USAGE
    assert "bounces, notifier" in capsys.readouterr().err
    assert run(["run"]) == Exit.OK
    assert capsys.readouterr().out.splitlines() == ["worker\twhat it does", "bounces\tReads.", "notifier\tSends."]


def test_no_value_steers_the_terminal_or_becomes_markup(terminal: Console) -> None:
    screen.table((Column("name"),), [["\x1b[2J[bold]x\u202e"]])
    screen.line("\x1b]0;title\x07[red]")
    screen.tell(Fault("a\x1b[31m", "[b]", "c\nd"))
    shown = written(terminal)
    assert "\x1b[2J" not in shown
    assert "\x1b]0" not in shown
    assert "\u202e" not in shown
    assert "[bold]x" in shown
    assert "[red]" in shown
    assert "[b]" in shown


def test_states_have_colour_in_a_terminal_and_none_when_piped(
    terminal: Console, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [["n1", "served"], ["n2", "unserved"]]
    assert screen.table((Column("notice"), Column("state")), rows) == 2
    assert "\x1b[32mserved" in written(terminal)
    monkeypatch.undo()
    screen.table((Column("notice"), Column("state")), rows)
    assert capsys.readouterr().out == "notice\tstate\nn1\tserved\nn2\tunserved\n"


def test_progress_is_silent_when_piped(capsys: pytest.CaptureFixture[str]) -> None:
    with screen.progress("Replaying", 2) as advance:
        advance(2)
    assert capsys.readouterr() == ("", "")
