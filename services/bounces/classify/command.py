"""`duly bounces classify`: one JSON object a file, without database or broker."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TextIO

from services.bounces.classify.classification import Classification
from services.bounces.classify.decide import classify
from services.bounces.classify.mime import LONGEST_MAIL
from services.kernel.domain.evidence import Verdict


def classify_files(paths: Iterable[Path], out: TextIO) -> None:
    """Writes one line of JSON a file: `file`, `verdict`, `recipients` (finally failed), `reasons`.

    Never fails on a file: one that cannot be read is `other`, with the reason.

    Args:
        paths: The mails, one a file, as they came. Only the first `LONGEST_MAIL` bytes are read.
        out: Where the lines go, in the order of the paths.
    """
    for path in paths:
        found = _classify_file(path)
        line = {"file": str(path), "verdict": found.verdict, "recipients": found.recipients, "reasons": found.reasons}
        out.write(json.dumps(line) + "\n")


def _classify_file(path: Path) -> Classification:
    try:
        with path.open("rb") as file:
            raw = file.read(LONGEST_MAIL)
    except (OSError, ValueError) as error:
        return Classification(Verdict.OTHER, reasons=(f"file cannot be read: {type(error).__name__}",))
    return classify(raw)
