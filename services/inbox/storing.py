"""One file of an answer, on its way into the database: looked at, counted, hashed, and stored in parts."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from hashlib import sha256
from uuid import UUID

from schemas.messages.requests import GivenFile
from services.inbox.file_types import FileType, Probe, is_document, type_of
from services.inbox.given import plain_name
from services.kernel.ledger.inbox import InboxLedger, UploadDone

PART = 256 * 1024
_LOOKING = asyncio.Semaphore(2)
"""Documents that are looked into at a time: each is in memory whole then, and only then."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A file that is complete and of a kind that is taken."""

    given: GivenFile
    done: UploadDone


class Storing:
    """Takes one file. What turns out unfit is no longer stored, but read to its end, so that all faults are told."""

    def __init__(self, ledger: InboxLedger, upload_id: UUID, number: int, filename: str, most: int) -> None:
        self._ledger, self._upload_id, self._number, self._most = ledger, upload_id, number, most
        self._name = plain_name(filename)
        self._kind = type_of(self._name)
        self._probe = Probe(self._kind) if self._kind else None
        self._digest, self._size, self._parts = sha256(), 0, 0
        self._waiting = bytearray()

    async def begin(self, evidence_id: UUID, notice_id: UUID) -> None:
        """Note that a file comes, and what its sender calls it."""
        if self._kind is not None:
            async with self._ledger.open() as tx:
                await tx.begin_upload(
                    self._upload_id, evidence_id, notice_id, self._number, self._name, self._kind.media_type
                )

    async def came(self, data: bytes) -> None:
        """The next bytes."""
        self._size += len(data)
        if self._probe is None or not self._is_fit():
            return
        self._probe.see(data)
        self._digest.update(data)
        self._waiting += data
        if len(self._waiting) >= PART:
            await self._store()

    async def ended(self) -> Stored | str:
        """The complete file, or the key of what is wrong with it."""
        if self._size == 0:
            return "file_empty"
        if self._size > self._most:
            return "file_too_large"
        if self._kind is None or self._probe is None or not self._probe.end():
            return "file_type"
        await self._store()
        if self._kind.says and not await self._is_document(self._kind):
            return "file_type"
        given = GivenFile(
            upload_id=self._upload_id, digest=self._digest.hexdigest(), size=self._size,
            media_type=self._kind.media_type, shown_name=self._name,
        )  # fmt: skip
        return Stored(given, UploadDone(self._upload_id, self._size, self._digest.digest()))

    def _is_fit(self) -> bool:
        return self._probe is not None and self._probe.fits and self._size <= self._most

    async def _store(self) -> None:
        while self._waiting:
            self._parts += 1
            async with self._ledger.open() as tx:
                await tx.add_part(self._upload_id, self._parts, bytes(self._waiting[:PART]))
            del self._waiting[:PART]

    async def _is_document(self, kind: FileType) -> bool:
        async with _LOOKING:
            content = bytearray()
            async with self._ledger.open() as tx:
                for number in range(1, self._parts + 1):
                    content += await tx.part(self._upload_id, number) or b""
            return await asyncio.to_thread(is_document, bytes(content), kind)
