"""The image's entry: `duly`, with secrets from files.

Every file in /run/secrets that is named like a setting (`DULY_…`) becomes that setting, without its last newline,
unless the environment has it already. So no password need stand in a compose file, nor in what `inspect` shows.
"""

# ruff: noqa: INP001 -- the image's script, no module

import os
import sys
from collections.abc import MutableMapping
from pathlib import Path

FOLDER = Path("/run/secrets")


def take_secrets(folder: Path, environment: MutableMapping[str, str]) -> None:
    """Put each secret of the folder into the environment, where that has no such variable."""
    for file in sorted(folder.glob("DULY_*")):
        if file.is_file() and file.name not in environment:
            environment[file.name] = file.read_text(encoding="utf-8").removesuffix("\n")


if __name__ == "__main__":
    take_secrets(FOLDER, os.environ)

    from services.cli.__main__ import main  # after the secrets: nothing may read settings before

    sys.argv[0] = "duly"
    main()
