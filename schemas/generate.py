"""Writes what derives from the catalogue: `python -m schemas.generate [--check]`.

`asyncapi.yaml` (AsyncAPI 3.0), `openapi.yaml` (OpenAPI 3.1) and `json/<type>.json` (JSON Schema 2020-12, one a message
type, and the envelope's).
With `--check` nothing is written: exit status 1, and each file that differs, is missing or is surplus on its own line.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import yaml
from pydantic import BaseModel, JsonValue
from pydantic.json_schema import GenerateJsonSchema

from schemas import openapi
from schemas.asyncapi import Node, document
from schemas.catalogue import CATALOGUE
from schemas.cloudevents import Envelope

ROOT = Path(__file__).parent
_HEADER = (
    "# Generated from schemas/catalogue.py by `python -m schemas.generate`; change the catalogue, not this file.\n"
)


def files() -> dict[str, str]:
    """Every generated file: its path under `schemas/` and its text."""
    schemas = {entry.type: json_schema(entry.type, entry.model) for entry in CATALOGUE.values()}
    schemas["envelope"] = json_schema("envelope", Envelope)
    return {
        "asyncapi.yaml": _yaml(document()),
        "openapi.yaml": _yaml(openapi.document()),
        **{f"json/{name}.json": _text(schema) for name, schema in schemas.items()},
    }


def _yaml(node: Node) -> str:
    return _HEADER + yaml.safe_dump(node, sort_keys=False, allow_unicode=True, width=120)


def json_schema(name: str, model: type[BaseModel]) -> Node:
    """The JSON Schema of one model, under the id `urn:duly:<name>`.

    Rules between fields and the ban on control characters stand in descriptions only: the model has the last word.
    """
    schema: Node = model.model_json_schema(mode="validation")
    return {"$schema": GenerateJsonSchema.schema_dialect, "$id": f"urn:duly:{name}", **schema}


def _text(schema: JsonValue) -> str:
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def drift(root: Path = ROOT) -> list[str]:
    """What in `root` is not as generated, one line a file; empty if all is."""
    wanted = files()
    faults = []
    for name, text in wanted.items():
        path = root / name
        if not path.is_file():
            faults.append(f"{name}: missing")
        elif path.read_text(encoding="utf-8") != text:
            faults.append(f"{name}: differs from the catalogue")
    return faults + [f"{name}: surplus" for name in _surplus(root, wanted)]


def _surplus(root: Path, wanted: dict[str, str]) -> list[str]:
    found = (path.relative_to(root).as_posix() for path in sorted((root / "json").glob("*")))
    return [name for name in found if name not in wanted]


def write(root: Path = ROOT) -> None:
    """Write every generated file and remove what is surplus."""
    wanted = files()
    (root / "json").mkdir(parents=True, exist_ok=True)
    for name, text in wanted.items():
        (root / name).write_text(text, encoding="utf-8")
    for name in _surplus(root, wanted):
        (root / name).unlink()


def main(arguments: list[str]) -> int:
    """Write, or with `--check` compare; the exit status."""
    if arguments not in ([], ["--check"]):
        sys.stderr.write("usage: python -m schemas.generate [--check]\n")
        return 2
    if not arguments:
        write()
        return 0
    faults = drift()
    sys.stdout.writelines(f"schemas/{fault}\n" for fault in faults)
    if faults:
        sys.stdout.write("run: python -m schemas.generate\n")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
