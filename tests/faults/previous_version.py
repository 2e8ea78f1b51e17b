"""The previous version of Duly, out of this checkout's own history: the last tree that knew no newer schema.

`NEWEST_THEN` names the newest migration of that version; move it on with each release. Its code must go on working on a
database that is migrated already, since an upgrade migrates first and restarts the workers one after another.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.rig.debian import do_without
from tests.rig.system import CHECKOUT

NEWEST_THEN = "0003_doors"
MIGRATIONS = "schemas/database/migrations"
HOW_TO = (
    "the previous version comes out of git's history, and {}: run this in a clone with all of its history "
    "(`git fetch --unshallow`), not in an unpacked archive"
)


def previous_version(folder: Path) -> Path:
    """Lay the code of the previous version into a folder; where it is. Skips without history; in CI that fails."""
    tree = folder / "previous"
    tree.mkdir()
    archive = _git("archive", "--format=tar", _last_before_newer(), "services", "schemas")
    subprocess.run(["tar", "-x", "-C", str(tree)], input=archive, check=True)
    newest = max(file.stem for file in (tree / MIGRATIONS).glob("*.sql"))
    assert newest == NEWEST_THEN, f"the previous version's newest migration is {newest}"
    assert _imports_from(tree) == tree, "the previous version's workers would import the code of this one"
    return tree


def _last_before_newer() -> str:
    """The parent of the commit that brought the first migration after `NEWEST_THEN`; HEAD if there is none yet."""
    said = _git("log", "--reverse", "--diff-filter=A", "--format=commit %H", "--name-only", "--", MIGRATIONS).decode()
    if NEWEST_THEN not in said:
        do_without(HOW_TO.format(f"it does not tell where {NEWEST_THEN} came from"))
    commit = ""
    for line in said.splitlines():
        word, _, rest = line.partition(" ")
        commit = rest if word == "commit" else commit
        if line.startswith(MIGRATIONS) and Path(line).stem > NEWEST_THEN:
            return _git("rev-parse", "--verify", f"{commit}^").decode().strip()
    return "HEAD"


def _git(*arguments: str) -> bytes:
    # A checkout may belong to another user than the one who tests it.
    command = ["git", "-c", f"safe.directory={CHECKOUT}", "-C", str(CHECKOUT), *arguments]
    try:
        return subprocess.run(command, capture_output=True, check=True).stdout
    except FileNotFoundError:
        return do_without(HOW_TO.format("there is no git"))
    except subprocess.CalledProcessError as error:
        return do_without(HOW_TO.format(f"git says: {error.stderr.decode().strip()}"))


def _imports_from(tree: Path) -> Path:
    code = "import services, pathlib; print(pathlib.Path(services.__file__).parents[1])"
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    told = subprocess.run(
        [sys.executable, "-c", code], cwd=tree, env=environment, capture_output=True, text=True, check=True
    )
    return Path(told.stdout.strip())
