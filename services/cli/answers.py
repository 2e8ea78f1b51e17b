"""What a business gave in its inbox: read, and its files saved, each checked against the digest that it came with."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast
from uuid import UUID

from services.cli.desk import when
from services.kernel.runtime.fault import Exit, Fault

if TYPE_CHECKING:
    from schemas.messages.requests import GivenFile, ResponseGivenV1
    from services.kernel.adapters.postgres.desk import PostgresDesk
    from services.kernel.adapters.postgres.desk_reads import Row


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer. `saved` are the files that were written, in the order of the answer's."""

    evidence_id: UUID
    received_at: datetime
    state: str
    said: ResponseGivenV1
    saved: list[Path] = field(default_factory=list)

    def row(self) -> dict[str, object]:
        """For scripts."""
        return {
            "evidence_id": self.evidence_id, "received_at": self.received_at, "state": self.state,
            **self.said.model_dump(mode="json"), "saved": [str(path) for path in self.saved],
        }  # fmt: skip

    def lines(self) -> Iterator[str]:
        """For people."""
        said = self.said
        yield f"{said.kind} about notice {said.notice_id}, received {when(self.received_at)} UTC ({self.state})"
        yield f"from {said.given_by_name} ({said.given_by}) for {said.business_id}"
        yield from ("", *said.text.split("\n")) if said.text else ()
        for number, file in enumerate(said.files, start=1):
            where = f", saved as {self.saved[number - 1]}" if self.saved else ""
            yield f"file {number}: {file.shown_name}, {file.size:,} bytes, SHA-256 {file.digest}{where}"


async def read_answer(desk: PostgresDesk, evidence_id: UUID, by: str, folder: Path | None) -> Answer:
    """An answer that came through the inbox, its files saved if a folder is named.

    Raises:
        Fault: it is none, or a file is not what was received, or cannot be written.
    """
    from schemas.cloudevents import CONTENT_TYPE, read  # noqa: PLC0415 -- heavy
    from schemas.messages.requests import ResponseGivenV1  # noqa: PLC0415 -- heavy

    row = await desk.answer(evidence_id)
    if row is not None and row["erased_at"]:
        raise _erased(row)
    if row is None or not row["body"]:
        todo = "duly evidence list --door inbox lists those that are open; with --state processed the others"
        raise Fault("this is no answer that was received in the inbox", str(evidence_id), todo, code=Exit.NO)
    said = ResponseGivenV1.model_validate(read(cast("bytes", row["body"]), CONTENT_TYPE, {}).data)
    saved = (
        [] if folder is None else [await _save(desk, file, folder, at) for at, file in enumerate(said.files, start=1)]
    )
    await desk.record_access(by, "read" if folder is None else "download", said.notice_id, str(evidence_id))
    return Answer(evidence_id, cast("datetime", row["received_at"]), str(row["state"]), said, saved)


def _erased(row: Row) -> Fault:
    digest = cast("bytes", row["body_sha256"]).hex()
    erased = f"this answer was erased on {when(row['erased_at'])} UTC, as the retention rules say"
    what = f"{erased}; its SHA-256 was {digest}"
    todo = f"duly notices show {row['notice_id']} has what its chain says of it"
    return Fault(what, str(row["evidence_id"]), todo, code=Exit.NO)


async def _save(desk: PostgresDesk, file: GivenFile, folder: Path, number: int) -> Path:
    """One file, under a name of our own: never over another, and never to be run."""
    path = folder / f"evidence-{number}.{_extension(file.media_type)}"
    digest = sha256()
    try:
        with _new(path) as written:
            async for part in _parts(desk, file.upload_id):
                digest.update(part)
                written.write(part)
    except FileExistsError as fault:
        raise Fault("there is such a file already", str(path), "name an empty folder", code=Exit.USAGE) from fault
    except OSError as fault:
        raise Fault(f"it cannot be written: {fault.strerror}", str(path), "name another folder") from fault
    if digest.hexdigest() != file.digest:
        path.unlink()
        raise Fault(
            "the file is not what was received", f"upload {file.upload_id}", "its digest differs: tell the officers"
        )
    return path


def _new(path: Path) -> BinaryIO:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path.open("xb")


async def _parts(desk: PostgresDesk, upload_id: UUID) -> AsyncIterator[bytes]:
    number = 1
    while (part := await desk.file_part(upload_id, number)) is not None:
        yield part
        number += 1


def _extension(media_type: str) -> str:
    from services.inbox.file_types import TYPES  # noqa: PLC0415 -- heavy

    return next((kind.extension for kind in TYPES.values() if kind.media_type == media_type), "bin")
