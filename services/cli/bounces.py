"""`duly bounces …`: what mail that came back means."""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from services.cli import screen
from services.cli.options import Json
from services.cli.screen import Column
from services.kernel.runtime.fault import Exit, Fault

COLUMNS = (Column("file"), Column("verdict"), Column("failed", fold=True), Column("reasons", fold=True))
FROM = Parameter(allow_leading_hyphen=True, help="Read paths, one a line, from this file; - is standard input.")
LONGEST_NAME = 44
"""Characters of a path that a table in a terminal shows; piped and JSON lines show all."""

app = App(name="bounces", help="Tell what mail that came back means.")
app.command("services.cli.ingest:ingest", name="ingest", help="Take in mail that came back, as evidence.")


@app.command
def classify(
    *files: Annotated[Path, Parameter(help="Mails, one a file, as they came.")],
    files_from: Annotated[str, FROM] = "",
    json: Json = False,
) -> None:
    """Say of each mail whether it is final evidence of non-delivery, and for whom.

    Verdicts: final, delayed, auto-reply, complaint, delivered, unclear, other. Needs neither database nor broker, and
    never fails on a mail.
    """
    from services.bounces.classify.command import classify_files  # noqa: PLC0415 -- heavy

    if not files and not files_from:
        raise Fault("no mail to classify", "", "name files, or --files-from LIST", code=Exit.USAGE)
    paths = _paths(files, files_from)
    if json:
        classify_files(paths, sys.stdout)
    else:
        screen.table(COLUMNS, (_row(path) for path in paths), empty="No file was named.")


def _row(path: Path) -> tuple[object, ...]:
    from services.bounces.classify.command import classify_files  # noqa: PLC0415 -- heavy

    out = io.StringIO()
    classify_files([path], out)
    told = json.loads(out.getvalue())
    return _short(told["file"]), told["verdict"], told["recipients"], told["reasons"]


def _short(name: str) -> str:
    if len(name) <= LONGEST_NAME or not screen.console().is_terminal:
        return name
    return "…" + name[1 - LONGEST_NAME :]


def _paths(files: tuple[Path, ...], files_from: str) -> Iterator[Path]:
    """The named files, then those of the list, as the bytes that the file system knows them by."""
    yield from files
    if files_from == "-":
        yield from _listed(sys.stdin.buffer)
    elif files_from:
        try:
            with Path(files_from).open("rb") as listed:
                yield from _listed(listed)
        except OSError as error:
            what = f"the list of files cannot be read ({error.strerror})"
            raise Fault(what, files_from, "name a file of paths, one a line", code=Exit.USAGE) from error


def _listed(lines: Iterable[bytes]) -> Iterator[Path]:
    for line in lines:
        name = line.rstrip(b"\r\n")
        if name:
            yield Path(os.fsdecode(name))
