"""API keys: made once, shown once, and known by what `sources.yaml` says of them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from services.cli.__main__ import run
from services.intake.callers import Callers
from services.kernel.adapters.library import LibraryFault, load_library
from services.kernel.adapters.parts import LIBRARY

LINE = "  fees:\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return shutil.copytree(LIBRARY, tmp_path / "library")


def add(folder: Path, after: str, text: str) -> None:
    file = folder / "sources.yaml"
    file.write_text(file.read_text(encoding="utf-8").replace(after, after + text, 1), encoding="utf-8")


async def test_a_key_that_was_made_is_known_when_its_line_is_in_the_library(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["keys", "make", "fees"]) == 0
    key, *said = capsys.readouterr().out.splitlines()
    assert not any(key in line for line in said)
    add(folder, LINE, "\n".join(said[-2:]) + "\n")
    caller = await Callers(load_library(folder), None, None).of({"x-api-key": key})
    assert caller.source.name == "fees"
    assert caller.credential == f"key/{key.split('_')[1]}"


def test_a_key_for_no_source_is_not_made(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["keys", "make", "nobody"]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert "registry, fees, caseworking" in told.err


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("api_keys", f'[{{ id: "abcd", sha256: "{"0" * 64}" }}]', "the API key abcd speaks for registry already"),
        ("oauth_clients", "[cron]", "the OAuth client cron speaks for registry already"),
    ],
)
def test_two_sources_cannot_share_a_key_or_a_client(folder: Path, field: str, value: str, says: str) -> None:
    for source in ("  registry:\n", LINE):
        add(folder, source, f"    {field}: {value}\n")
    with pytest.raises(LibraryFault, match=says):
        load_library(folder)


@pytest.mark.parametrize(
    "key", ['{ id: "abcd", sha256: "beef" }', f'{{ id: "A_b", sha256: "{"0" * 64}" }}', "duly_x_y"]
)
def test_what_is_no_hash_of_a_key_is_a_fault_of_the_library(folder: Path, key: str) -> None:
    add(folder, LINE, f"    api_keys: [{key}]\n")
    with pytest.raises(LibraryFault, match=r"sources\.fees\.api_keys"):
        load_library(folder)


def test_a_source_that_nobody_can_speak_for_is_a_fault_and_one_with_a_key_alone_is_not(folder: Path) -> None:
    file = folder / "sources.yaml"
    file.write_text(file.read_text(encoding="utf-8").replace("    amqp_users: [fees]\n", ""), encoding="utf-8")
    with pytest.raises(LibraryFault, match="nobody can speak for it"):
        load_library(folder)
    add(folder, LINE, f'    api_keys: [{{ id: "abcd", sha256: "{"0" * 64}" }}]\n')
    assert load_library(folder).source("fees").amqp_users == frozenset()
