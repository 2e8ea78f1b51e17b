"""The SMTP sink's own log, read as it grows: the judge of what was mailed."""

from __future__ import annotations

import asyncio
import base64
import json
from pathlib import Path
from typing import Any


class SinkLog:
    """The mails that the sink took, in order; each line is read once."""

    def __init__(self, path: Path) -> None:
        self.mails: list[dict[str, Any]] = []
        self._path = path
        self._read = 0

    def refresh(self) -> list[dict[str, Any]]:
        """Read what is new; the accepted mails of it."""
        if not self._path.exists():
            return []
        with self._path.open("rb") as log:
            log.seek(self._read)
            grown = log.read()
        whole = grown[: grown.rfind(b"\n") + 1]
        self._read += len(whole)
        new = [entry for line in whole.splitlines() if (entry := json.loads(line))["outcome"] == "accepted"]
        self.mails += new
        return new

    async def next_to(self, recipients: str) -> dict[str, Any]:
        """Wait for the next mail to an address that begins so; what was taken before does not count."""
        self.refresh()
        while True:
            for mail in self.refresh():
                if mail["recipient"].startswith(recipients):
                    return mail
            await asyncio.sleep(0.002)

    def by_recipient(self) -> dict[str, list[dict[str, Any]]]:
        """Every mail, by the address it was for."""
        self.refresh()
        found: dict[str, list[dict[str, Any]]] = {}
        for mail in self.mails:
            found.setdefault(mail["recipient"], []).append(mail)
        return found

    @staticmethod
    def content(mail: dict[str, Any]) -> bytes:
        """The mail itself, where the sink keeps it."""
        return base64.b64decode(mail["content"])
