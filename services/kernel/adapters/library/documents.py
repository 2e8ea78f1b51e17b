"""YAML files of the library, with the line of every field, so that a fault can be pointed at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import yaml
from pydantic import BaseModel, ValidationError

Shape = TypeVar("Shape", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong in one file; `line` counts from 1, `field` is a dotted path or empty for the whole file."""

    file: Path
    line: int
    field: str
    message: str

    def __str__(self) -> str:
        """Write it as compilers do: `file:line: field: message`."""
        return f"{self.file}:{self.line}: {self.field}{': ' if self.field else ''}{self.message}"


class LibraryFault(Exception):
    """The library cannot be used; `faults` has every fault found, not only the first."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(str(fault) for fault in self.faults))


@dataclass(frozen=True, slots=True)
class Document:
    """A parsed YAML file: plain data, and the nodes that know their lines."""

    file: Path
    content: object
    node: yaml.Node | None

    def fault(self, message: str, *field: str | int) -> Fault:
        """Point at a field, or at the nearest thing around it that the file has."""
        node, line, found = self.node, 1, True
        for step in field:
            child = _child(node, step) if found else None
            found = child is not None
            if child is not None:
                line, node = child
        return Fault(self.file, line, ".".join(str(step) for step in field), message)


def read_document(file: Path, faults: list[Fault]) -> Document | None:
    """Read one YAML file; what hinders it is added to `faults`, and None returned."""
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        faults.append(Fault(file, 1, "", "the file is missing"))
        return None
    except (OSError, UnicodeDecodeError) as error:
        faults.append(Fault(file, 1, "", f"cannot be read as UTF-8 text: {type(error).__name__}"))
        return None
    return _parse(file, text, faults)


def shaped(document: Document | None, shape: type[Shape], faults: list[Fault]) -> Shape | None:
    """Check a document against its shape; every fault is added to `faults`, each with its line."""
    if document is None:
        return None
    try:
        return shape.model_validate(document.content)
    except ValidationError as invalid:
        for each in invalid.errors(include_url=False, include_context=False, include_input=False):
            field = [step for step in each["loc"] if step != "[key]"]
            faults.append(document.fault(each["msg"], *field))
        return None


def _parse(file: Path, text: str, faults: list[Fault]) -> Document | None:
    try:
        loader = yaml.SafeLoader(text)
        node = loader.get_single_node()
        doubled = list(_doubled_keys(node))
        content: object = None if node is None else loader.construct_document(node)
    except (yaml.YAMLError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or str(error)
        faults.append(Fault(file, 1 if mark is None else mark.line + 1, "", f"not valid YAML: {problem}"))
        return None
    faults.extend(Fault(file, line, key, "given twice") for key, line in doubled)
    return Document(file, content, node)


def _doubled_keys(node: yaml.Node | None) -> list[tuple[str, int]]:
    doubled: list[tuple[str, int]] = []
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            if key.value in seen:
                doubled.append((str(key.value), key.start_mark.line + 1))
            seen.add(key.value)
            doubled += _doubled_keys(value)
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            doubled += _doubled_keys(value)
    return doubled


def _child(node: yaml.Node | None, step: str | int) -> tuple[int, yaml.Node] | None:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == str(step):
                return key.start_mark.line + 1, value
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        value = node.value[step]
        return value.start_mark.line + 1, value
    return None
