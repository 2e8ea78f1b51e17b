"""One answer as it streams in: evidence from its first byte, and received only when it is complete and sound.

The row of raw evidence is committed, as `receiving`, as soon as the form's token has come: from then on the gate waits
for it. Files go to the database in parts. When all is there the answer becomes evidence in one transaction; what breaks
off or cannot be taken is refused, its parts are deleted, and the gate is woken.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from itertools import count
from uuid import UUID

from schemas.messages.requests import ResponseGivenV1
from services.inbox.given import MOST_TEXT, TYPE, envelope_of, given_kind, plain_text
from services.inbox.storing import Stored, Storing
from services.inbox.views import Draft
from services.inbox.visit import SITE, Problem, Visit
from services.kernel.adapters.web.multipart import FormBroken, FormEvent, PartBegan, PartCame, PartEnded
from services.kernel.adapters.web.sessions import is_token
from services.kernel.domain.changes import EvidenceStored, GateWoken
from services.kernel.ledger.inbox import Opened
from services.kernel.runtime.door import hops

_MOST_BYTES = {"csrf": 200, "kind": 50, "text": 4 * MOST_TEXT + 1}
"""What is kept of each field; of others, nothing."""
_STATUS = {"file_too_large": 413, "file_type": 415}


class AnswerFaulty(Exception):
    """The answer came whole and cannot be taken as it is; `draft` has its faults, `status` is what the page answers."""

    def __init__(self, draft: Draft, status: int) -> None:
        super().__init__(status)
        self.draft, self.status = draft, status


class Receiving:
    """Takes the events of one form. Nothing is stored before its first field has proved to be the session's token."""

    def __init__(self, visit: Visit, opened: Opened, may_give: tuple[str, ...]) -> None:
        self._visit, self._opened, self._may_give = visit, opened, may_give
        self._evidence_id: UUID | None = None
        self._fields: dict[str, bytearray] = {}
        self._field = ""
        self._storing: Storing | None = None
        self._files: list[Stored] = []
        self._numbers = count(1)
        self._faults: dict[tuple[str, str], None] = {}

    async def take(self, events: AsyncIterator[FormEvent]) -> UUID:
        """Take it all; the id of what was received.

        Raises:
            AnswerFaulty: it came whole, and cannot be taken.
            Problem: it is not from our page.
            FormBroken: it broke off.
            BodyTooLong: it is longer than an answer may be.
        """
        try:
            async for event in events:
                match event:
                    case PartBegan(name, filename):
                        await self._began(name, filename)
                    case PartCame(data):
                        await self._came(data)
                    case PartEnded():
                        await self._ended()
            return await self._complete()
        except BaseException as fault:
            await asyncio.shield(self._refuse(type(fault).__name__))
            raise

    async def _began(self, name: str, filename: str | None) -> None:
        self._field = name
        if self._evidence_id is None and (name != "csrf" or filename is not None):
            raise Problem(403, "form_expired")
        if filename is None and name in _MOST_BYTES:
            self._fields[name] = bytearray()
        elif filename and self._evidence_id is not None:
            await self._file(filename, self._evidence_id)

    async def _file(self, filename: str, evidence_id: UUID) -> None:
        number = next(self._numbers)  # of those that came, fit or unfit
        if number > self._visit.inbox.rules.most_files:
            self._fault("files", "too_many_files")
            return
        inbox, notice_id = self._visit.inbox, self._opened.listed.notice_id
        self._storing = Storing(inbox.ledger, inbox.ids.uuid7(), number, filename, inbox.settings.file_bytes)
        await self._storing.begin(evidence_id, notice_id)

    async def _came(self, data: bytes) -> None:
        if self._storing is not None:
            await self._storing.came(data)
        elif (kept := self._fields.get(self._field)) is not None:
            kept += data[: max(0, _MOST_BYTES.get(self._field, 0) - len(kept))]

    async def _ended(self) -> None:
        if self._storing is not None:
            stored = await self._storing.ended()
            if isinstance(stored, str):
                self._fault("files", stored)
            else:
                self._files.append(stored)
            self._storing = None
        elif self._field == "csrf" and self._evidence_id is None:
            await self._begin()

    async def _begin(self) -> None:
        """The form's first field is complete: the answer counts from now on, if it completes."""
        if not is_token(self._visit.person, self._value("csrf")):
            raise Problem(403, "form_expired")
        evidence_id = self._visit.inbox.ids.uuid7()
        begun = EvidenceStored(
            evidence_id=evidence_id, door=SITE, source=SITE, event_id=str(evidence_id), type=TYPE,
            content_type="application/cloudevents+json", headers="{}", body=b"",
            notice_id=self._opened.listed.notice_id, source_ref=None, attempt_id=None, addresses=(), state="receiving",
        )  # fmt: skip
        async with self._visit.inbox.ledger.open() as tx:
            await tx.store([begun])
        self._evidence_id = evidence_id

    async def _complete(self) -> UUID:
        """The answer is whole: evidence in one transaction, or refused with all its faults."""
        evidence_id = self._evidence_id
        if evidence_id is None:
            raise FormBroken("an empty form")
        said = self._said()
        notice_id, inbox = self._opened.listed.notice_id, self._visit.inbox
        async with inbox.ledger.begin() as tx:
            clock = await tx.clock()
            body = envelope_of(said, evidence_id, clock)
            if not await tx.complete_answer(evidence_id, body, [file.done for file in self._files]):
                raise FormBroken("it took too long, and was given up")
            unsent = await tx.write(hops("response.received.v1", [evidence_id], inbox.ids, clock))
            await self._visit.record(
                tx, "answer", business_id=self._opened.business_id, notice_id=notice_id, detail=str(evidence_id)
            )
        inbox.travel.send(unsent)
        self._evidence_id = None
        return evidence_id

    def _said(self) -> ResponseGivenV1:
        """What the business says.

        Raises:
            AnswerFaulty: something is missing or cannot be taken.
        """
        kind, text = given_kind(self._value("kind"), self._may_give), plain_text(self._value("text"))
        if kind is None:
            self._fault("kind", "kind_missing")
        if len(text) > MOST_TEXT or self._is_cut("text"):
            self._fault("text", "text_too_long")
        if not text and kind in {"answer", "question", "dispute"}:
            self._fault("text", "text_missing")
        if not self._files and kind == "evidence" and not any(field == "files" for field, _ in self._faults):
            self._fault("files", "files_missing")
        if kind is None or self._faults:
            faults = tuple((field, f"faults.{key}") for field, key in self._faults)
            status = next((_STATUS[key] for _, key in self._faults if key in _STATUS), 422)
            raise AnswerFaulty(Draft(kind or "", text, faults), status)
        return ResponseGivenV1(
            notice_id=self._opened.listed.notice_id, business_id=self._opened.business_id, kind=kind,
            given_by=self._visit.person.person, given_by_name=self._visit.person.shown_name,
            language=self._visit.language, text=text, files=tuple(file.given for file in self._files),
        )  # fmt: skip

    async def _refuse(self, why: str) -> None:
        """Nothing of it counts: its parts are deleted, and the gate looks again."""
        if self._evidence_id is None:
            return
        async with self._visit.inbox.ledger.begin() as tx:
            await tx.refuse_answer(self._evidence_id, f"not received: {why}")
            await tx.write([GateWoken(self._opened.listed.notice_id)])
        self._evidence_id = None

    def _is_cut(self, name: str) -> bool:
        return len(self._fields.get(name, b"")) >= _MOST_BYTES[name]

    def _value(self, name: str) -> str:
        return self._fields.get(name, bytearray()).decode(errors="replace")

    def _fault(self, field: str, key: str) -> None:
        self._faults[field, key] = None
