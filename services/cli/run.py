"""`duly run WORKER`: one worker in this process."""

from __future__ import annotations

import ast
import importlib
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

import services
from services.cli import screen
from services.cli.screen import Column
from services.kernel.runtime.fault import Exit, Fault

NOT_WORKERS = {"cli", "kernel"}
COLUMNS = (Column("worker"), Column("what it does", fold=True))


def run(worker: Annotated[str, Parameter(help="Which one; without it, all are listed.")] = "", /) -> int:
    """Run one worker in this process until SIGTERM or Ctrl-C; without a name, list the workers."""
    known = workers()
    if not worker:
        screen.table(COLUMNS, sorted(known.items()), empty="There is no worker yet.")
        return Exit.OK
    if worker not in known:
        raise Fault(f"there is no worker {worker!r}", "", "name one of " + ", ".join(sorted(known)), code=Exit.USAGE)
    code = importlib.import_module(f"services.{worker}.__main__").main()
    return code if isinstance(code, int) else Exit.OK


def workers() -> dict[str, str]:
    """Every worker by name, with the first line of what its folder says; none is imported."""
    top = Path(services.__path__[0])
    folders = (file.parent for file in top.glob("*/__main__.py"))
    return {folder.name: _first_line(folder / "__init__.py") for folder in folders if folder.name not in NOT_WORKERS}


def _first_line(file: Path) -> str:
    text = ast.get_docstring(ast.parse(file.read_bytes())) if file.exists() else None
    return (text or "").partition("\n")[0]
