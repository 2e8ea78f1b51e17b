"""Writing everything that is kept about a business, notice by notice; no more than one body is in memory at a time."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, cast
from uuid import UUID

from services.cli.desk import plain, when
from services.cli.export import export
from services.cli.subject_bundle import Bundle
from services.kernel.runtime.fault import Fault

if TYPE_CHECKING:
    from services.kernel.adapters.postgres.desk import PostgresDesk
    from services.kernel.adapters.postgres.desk_reads import Row

HERE = Path(__file__).parent
COUNTED = {
    "notices": "Notices", "erased": "of these, content erased", "facts": "Facts in their chains",
    "evidence": "Pieces of evidence", "files": "Files given", "told": "Events told to the authority's system",
    "failed": "Messages that failed", "accesses": "Accesses on record", "legal_holds": "Legal holds open",
}  # fmt: skip


@dataclass(slots=True)
class Shown:
    """One notice on the index page: names of facts and of files, with where they are."""

    title: str
    facts: list[tuple[str, str]]
    files: list[tuple[str, str]] = field(default_factory=list)


async def write_subject(desk: PostgresDesk, business_id: str, made: Bundle, advance: Callable[[int], None]) -> Row:
    """Write all of it; returns the counts.

    Raises:
        Fault: a file is not what was received.
    """
    counts = await desk.subject_counts(business_id)
    holds = await desk.subject_legal_holds(business_id)
    made.json("business.json", plain({"business_id": business_id, "counts": counts, "legal_holds": holds}))
    with made.file("accesses.jsonl") as write:
        async for row in desk.subject_accesses(business_id):
            write((json.dumps(plain(row), ensure_ascii=False, sort_keys=True) + "\n").encode())
    shown: list[Shown] = []
    async for notice_id in desk.subject_notices(business_id):
        shown.append(await _notice(desk, notice_id, made))
        advance(1)
    made.whole("index.html", _index(business_id, counts, shown).encode())
    made.whole("style.css", (HERE.parent / "kernel/adapters/pages/static/duly.css").read_bytes())
    made.whole("ABOUT.md", (HERE / "subject_about.md").read_bytes())
    return counts


async def _notice(desk: PostgresDesk, notice_id: UUID, made: Bundle) -> Shown:
    at = f"notices/{notice_id}"
    row = await desk.notice(notice_id)
    facts = (await desk.chains([notice_id]))[notice_id]
    made.json(f"{at}/notice.json", export(row, facts, await desk.roots({fact.at.date() for fact in facts})))
    words = await desk.subject_part("words", notice_id)
    made.json(f"{at}/words.json", _words(words))
    retention = await desk.subject_part("retention", notice_id)
    made.json(f"{at}/retention.json", plain(retention[0] if retention else {}))
    shown = Shown(_title(row, words), list(_facts(row, words, retention)))
    shown.files += [(name, f"{at}/{name}") for name in ("notice.json", "words.json", "retention.json")]
    await _evidence(desk, notice_id, made, shown)
    await _files(desk, notice_id, made, shown)
    messages = {part: [_message(each) for each in await desk.subject_part(part, notice_id)]
                for part in ("told", "requests", "failed")}  # fmt: skip
    made.json(f"{at}/messages.json", messages)
    shown.files.append(("messages.json", f"{at}/messages.json"))
    return shown


def _words(found: Sequence[Row]) -> object:
    if not found:
        return {}
    row = dict(found[0])
    told = {"request": json.loads(str(row.pop("request"))), "text": row.pop("body_text"), "html": row.pop("body_html")}
    return {**told, **cast("dict[str, object]", plain(row))}


async def _evidence(desk: PostgresDesk, notice_id: UUID, made: Bundle, shown: Shown) -> None:
    listed: list[object] = []
    for row in await desk.subject_part("evidence", notice_id):
        path = f"notices/{notice_id}/evidence/{row['evidence_id']}.bin" if row["bytes"] else None
        if path:
            made.whole(path, await desk.evidence_as_it_came(cast("UUID", row["evidence_id"])))
            shown.files.append((f"{row['door']} evidence of {when(row['received_at'])} UTC", path))
        listed.append(plain({**row, "headers": json.loads(str(row["headers"])), "file": path}))
    made.json(f"notices/{notice_id}/evidence.json", listed)


async def _files(desk: PostgresDesk, notice_id: UUID, made: Bundle, shown: Shown) -> None:
    listed: list[object] = []
    for row in await desk.subject_part("files", notice_id):
        path = None if row["erased_at"] else f"notices/{notice_id}/files/{row['upload_id']}.bin"
        if path:
            with made.file(path) as write:
                async for part in _parts(desk, cast("UUID", row["upload_id"])):
                    write(part)
            if made.written[-1]["sha256"] != cast("bytes", row["digest"]).hex():
                raise Fault("a file is not what was received", f"upload {row['upload_id']}", "tell the officers")
            shown.files.append((str(row["shown_name"]), path))
        listed.append(plain({**row, "file": path}))
    made.json(f"notices/{notice_id}/files.json", listed)


async def _parts(desk: PostgresDesk, upload_id: UUID) -> AsyncIterator[bytes]:
    number = 1
    while (part := await desk.file_part(upload_id, number)) is not None:
        yield part
        number += 1


def _message(row: Row) -> object:
    """A message with its body as text; what is no UTF-8 is shown as far as it can be."""
    body = cast("bytes", row["body"]).decode("utf-8", "replace")
    return plain({**row, "body": body})


def _title(row: Row, words: Sequence[Row]) -> str:
    subject = str(words[0]["subject"]) if words else ""
    return subject or f"{row['notice_type']} {row['source_ref']}"


def _facts(row: Row, words: Sequence[Row], retention: Sequence[Row]) -> Iterator[tuple[str, str]]:
    yield "Reference", str(row["source_ref"])
    yield "State", str(row["state"])
    yield "Accepted", f"{when(row['accepted_at'])} UTC"
    yield "Address", str(row["address"])
    if retention and retention[0]["kept_until"]:
        yield "Content kept until", str(retention[0]["kept_until"])
    if words and words[0]["erased_at"]:
        yield "Content erased", f"{when(words[0]['erased_at'])} UTC, as the retention rules say"


def _index(business_id: str, counts: Row, shown: Sequence[Shown]) -> str:
    from jinja2 import Environment, StrictUndefined  # noqa: PLC0415 -- heavy

    page = (HERE / "subject_index.html").read_text(encoding="utf-8")
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, keep_trailing_newline=True)
    numbers = [(words, counts[name]) for name, words in COUNTED.items()]
    return environment.from_string(page).render(business_id=business_id, counts=numbers, notices=shown)
