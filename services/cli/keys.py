"""`duly keys …`: API keys with which upstream systems come over HTTP."""

from __future__ import annotations

import secrets
from hashlib import sha256
from typing import Annotated

from cyclopts import App, Parameter

from services.cli import screen
from services.cli.options import Json
from services.kernel.runtime.fault import Exit, Fault

app = App(name="keys", help="Make API keys for upstream systems that come over HTTP.")

_ID_BYTES, _SECRET_BYTES = 4, 32


@app.command
def make(
    source: Annotated[str, Parameter(help="The source that the key speaks for.")], /, *, json: Json = False
) -> None:
    """Make a key and show it, once: Duly keeps its hash alone, on the line that goes into sources.yaml.

    Keys of one source may stand side by side, so that one can replace another without a gap.
    """
    from services.kernel.adapters.library import load_library  # noqa: PLC0415 -- heavy
    from services.kernel.adapters.parts import LIBRARY  # noqa: PLC0415 -- heavy
    from services.kernel.runtime.settings import LibrarySettings, read  # noqa: PLC0415 -- heavy

    known = load_library(read(LibrarySettings).folder or LIBRARY).sources
    if source not in known:
        raise Fault(
            f"there is no source {source!r}", "sources.yaml", f"name one of {', '.join(known)}", code=Exit.USAGE
        )
    key_id = secrets.token_hex(_ID_BYTES)
    key = f"duly_{key_id}_{secrets.token_urlsafe(_SECRET_BYTES)}"
    digest = sha256(key.encode()).hexdigest()
    if json:
        screen.json_line({"source": source, "key": key, "id": key_id, "sha256": digest})
        return
    screen.line(key, screen.GOOD)
    screen.line("the key, shown this once: give it to the source over a safe way")
    screen.line("")
    screen.line(f"into sources.yaml, under {source}, then start intake again:", screen.QUIET)
    screen.line("    api_keys:")
    screen.line(f'      - {{ id: "{key_id}", sha256: "{digest}" }}')
