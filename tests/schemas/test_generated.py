"""What is generated equals what is committed, and says what the models say."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from schemas.asyncapi import document
from schemas.catalogue import CATALOGUE
from schemas.cloudevents import Envelope
from schemas.generate import ROOT, drift, main, write

MODELS = {entry.type: entry.model for entry in CATALOGUE.values()} | {"envelope": Envelope}


def test_generated_files_equal_the_committed_ones() -> None:
    assert drift() == []


def test_writing_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    write(tmp_path)
    first = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    write(tmp_path)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == first


def test_drift_names_what_differs_what_is_missing_and_what_is_surplus(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "asyncapi.yaml").write_text("asyncapi: 3.0.0\n")
    (tmp_path / "json/mark.sent.v1.json").unlink()
    (tmp_path / "json/mark.sent.v0.json").write_text("{}\n")
    assert drift(tmp_path) == [
        "asyncapi.yaml: differs from the catalogue",
        "json/mark.sent.v1.json: missing",
        "json/mark.sent.v0.json: surplus",
    ]


def test_writing_removes_what_is_surplus(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "json/mark.sent.v0.json").write_text("{}\n")
    write(tmp_path)
    assert drift(tmp_path) == []


def test_check_exits_1_and_names_the_file(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--check"]) == 0
    assert capsys.readouterr().out == ""
    monkeypatch.setattr("schemas.generate.drift", lambda: ["json/mark.sent.v1.json: missing"])
    assert main(["--check"]) == 1
    assert "schemas/json/mark.sent.v1.json: missing\n" in capsys.readouterr().out


def test_an_unknown_argument_is_refused() -> None:
    assert main(["--chekc"]) == 2


@pytest.mark.parametrize("name", MODELS)
def test_json_schema_has_the_fields_of_its_model(name: str) -> None:
    schema = json.loads((ROOT / f"json/{name}.json").read_text())
    fields = MODELS[name].model_fields
    assert schema["$id"] == f"urn:duly:{name}"
    assert set(schema["properties"]) == set(fields)
    assert set(schema.get("required", [])) == {field for field, info in fields.items() if info.is_required()}
    assert schema.get("additionalProperties") is (None if name == "envelope" else False)


def _pointed(node: object) -> list[str]:
    if isinstance(node, dict):
        own = [node["$ref"]] if "$ref" in node else []
        return own + [ref for value in node.values() for ref in _pointed(value)]
    return [ref for value in node for ref in _pointed(value)] if isinstance(node, list) else []


def _resolves(root: dict[str, object], ref: str) -> bool:
    if ref.startswith("./"):
        return (ROOT / ref).is_file()
    node: object = root
    for part in ref.removeprefix("#/").split("/"):
        if not isinstance(node, dict) or part not in node:
            return False
        node = node[part]
    return True


def test_asyncapi_points_only_at_what_is_there() -> None:
    committed = yaml.safe_load((ROOT / "asyncapi.yaml").read_text(encoding="utf-8"))
    assert committed == document()
    assert [ref for ref in _pointed(committed) if not _resolves(committed, ref)] == []


def test_duly_receives_what_has_a_queue_and_sends_what_upstream_does_not() -> None:
    operations = document()["operations"]
    assert isinstance(operations, dict)
    wanted = {f"receive.{entry.type}" for entry in CATALOGUE.values() if entry.queue}
    wanted |= {f"send.{entry.type}" for entry in CATALOGUE.values() if entry.producer != "upstream"}
    assert set(operations) == wanted


PARSE = """
const { Parser, fromFile } = require("@asyncapi/parser");
fromFile(new Parser(), process.argv[1]).parse().then(({ document, diagnostics }) => {
  const wrong = diagnostics.filter((one) => one.severity === 0);
  console.log(JSON.stringify({ parsed: Boolean(document), wrong, warned: diagnostics.length - wrong.length }));
});
"""


@pytest.mark.slow
def test_the_asyncapi_project_s_own_parser_finds_no_error(tmp_path: Path) -> None:
    npm, node = shutil.which("npm"), shutil.which("node")
    if npm is None or node is None:
        pytest.skip("npm and node are not installed")
    environment = os.environ | {"npm_config_update_notifier": "false", "NODE_PATH": str(tmp_path / "node_modules")}
    install = [npm, "install", "--no-audit", "--no-fund", "--prefix", str(tmp_path), "@asyncapi/parser@3"]
    installed = subprocess.run(install, capture_output=True, text=True, env=environment, timeout=300, check=False)
    if installed.returncode:
        pytest.skip(f"@asyncapi/parser cannot be installed here: {installed.stderr[-300:]}")
    parse = [node, "-e", PARSE, str(ROOT / "asyncapi.yaml")]
    said = subprocess.run(parse, capture_output=True, text=True, env=environment, timeout=120, check=True)
    found = json.loads(said.stdout.splitlines()[-1])
    assert found["wrong"] == []
    assert found["parsed"]
