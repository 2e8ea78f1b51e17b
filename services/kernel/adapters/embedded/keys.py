"""The key that signs envelope senders, made once for a data folder and kept there for its owner alone."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from services.kernel.runtime.fault import Fault

_BYTES = 32


def kept_key(file: Path) -> str:
    """The key in this file as `DULY_TOKEN_KEYS` wants it; made if missing, whole or not at all, mode 0600.

    Raises:
        Fault: the file cannot be read or made.
    """
    try:
        if not file.exists():
            aside = file.with_name(f"{file.name}.new")
            aside.unlink(missing_ok=True)
            with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as made:
                made.write(f"k1:{secrets.token_hex(_BYTES)}\n")
            aside.rename(file)
        return file.read_text().strip()
    except OSError as error:
        todo = "make it readable, or set DULY_TOKEN_KEYS"
        raise Fault(f"the key for envelope senders cannot be used ({error.strerror})", str(file), todo) from error
