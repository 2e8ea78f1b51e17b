"""What a business gives, as a message: kept as evidence, and never sent."""

from __future__ import annotations

import re
from typing import Literal, TypeAlias, get_args
from uuid import UUID

from pydantic_core import to_json

from schemas.messages.requests import ResponseGivenV1
from services.kernel.ledger import Clock

TYPE = "response.given.v1"
MOST_TEXT = 20_000
"""Characters; as many as the message may have."""
Kind: TypeAlias = Literal["answer", "evidence", "confirmation", "question", "dispute"]
_KINDS: tuple[Kind, ...] = get_args(Kind)
_UNFIT = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
_MOST_NAME = 150
_LONGEST_EXTENSION = 10


def given_kind(text: str, may_give: tuple[str, ...]) -> Kind | None:
    """The kind that was chosen, if it may be given."""
    return next((kind for kind in _KINDS if kind == text and kind in may_give), None)


def plain_text(text: str) -> str:
    """The words as they are kept: lines end in LF; a control or a mark that turns the reading direction is a space."""
    return _UNFIT.sub(" ", text.replace("\r\n", "\n").replace("\r", "\n")).strip()


def plain_name(filename: str) -> str:
    """What the sender called a file, as one plain line without folders: shown, and used for nothing."""
    name = _UNFIT.sub(" ", filename.replace("\\", "/").rpartition("/")[2]).replace("\n", " ").replace("\t", " ").strip()
    if len(name) <= _MOST_NAME:
        return name or "file"
    stem, dot, extension = name.rpartition(".")
    kept = f"{dot}{extension}" if dot and len(extension) <= _LONGEST_EXTENSION else ""
    return f"{(stem if kept else name)[: _MOST_NAME - len(kept) - 1]}…{kept}"


def envelope_of(said: ResponseGivenV1, evidence_id: UUID, clock: Clock) -> bytes:
    """The CloudEvent that is kept."""
    attributes = {
        "specversion": "1.0",
        "id": str(evidence_id),
        "source": "inbox",
        "type": TYPE,
        "subject": str(said.notice_id),
        "time": clock.legal,
        "datacontenttype": "application/json",
        "trial": clock.trial,
    }
    return to_json({**attributes, "data": said})
