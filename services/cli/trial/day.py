"""A day to be played, as its file tells it: what upstream asks, what the world does, and what the law makes of it.

A day is YAML. `days` is how far the clock moves; between whatever happens the trial moves it by itself. A story is one
notice: its request (as `notice.requested` has it, without `source_ref`, which is the story's name), how the mail system
treats its alert, on which day upstream asks, what happens on which day, and how it is expected to stand in the end.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator

from schemas.messages.fields import Name, Person, Reference
from schemas.messages.requests import NoticeRequestedV1
from services.kernel.adapters.library.documents import Document, read_document, shaped
from services.kernel.adapters.library.documents import Fault as FileFault
from services.kernel.adapters.mail.rules import Treatment
from services.kernel.runtime.fault import Exit, Fault

MOST_DAYS = 3650
State = Literal[
    "accepted", "rendered", "served", "satisfied", "lapsed", "closed", "sanctioned", "unserved", "withdrawn", "refused"
]
Sanction = Literal["none", "proposed", "fired", "dropped", "reversal_required", "upheld", "rescinded"]
Hold = Literal["none", "delivery_doubt", "contested", "special_treatment", "late_response", "objection", "manual"]
Deed = Literal[
    "pay", "answer", "evidence", "confirm", "question", "dispute", "object", "withdraw",
    "inbox_read", "inbox_answer", "inbox_question",
    "bounce", "delay", "auto_reply",
    "mend_and_replay", "extend", "lift_hold", "rescind",
]  # fmt: skip
TOLD: Mapping[Deed, tuple[str, str | None]] = MappingProxyType(
    {
        "pay": ("obligation.satisfied.v1", "payment"),
        "answer": ("response.reported.v1", "answer"),
        "evidence": ("response.reported.v1", "evidence"),
        "confirm": ("response.reported.v1", "confirmation"),
        "question": ("response.reported.v1", "question"),
        "dispute": ("response.reported.v1", "dispute"),
        "object": ("sanction.objected.v1", None),
        "withdraw": ("withdrawal.requested.v1", None),
    }
)
"""The acts that upstream tells of: the message type, and the kind within it."""
GIVEN: Mapping[Deed, str | None] = MappingProxyType(
    {"inbox_read": None, "inbox_answer": "answer", "inbox_question": "question"}
)
"""The acts of the business itself, in its secure inbox: what it gives there, None where it only reads."""
_Title = Annotated[str, StringConstraints(min_length=1, max_length=60)]


class _Shape(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Request(NoticeRequestedV1):
    """What upstream asks for; its reference is the story's name."""

    source_ref: Reference = "as the story is named"


class Act(_Shape):
    """Something that happens `day` days after the start.

    `says`: the mail system's words, or the reason that a person gives. `spoilt`: the message arrives cut in half; a
    later `mend_and_replay` puts it right. `days`: by how many a deadline is extended.
    """

    day: Annotated[float, Field(ge=0, le=MOST_DAYS)]
    act: Deed
    says: Annotated[str, StringConstraints(max_length=500)] = ""
    by: Person = "R. Bevan"
    spoilt: bool = False
    days: Annotated[int, Field(ge=1, le=365)] = 14


class Expected(_Shape):
    """How the notice stands in the end. `refused`: none was issued. `hold`: the kind of the newest open one."""

    state: State
    sanction: Sanction = "none"
    hold: Hold = "none"


class Story(_Shape):
    """One notice, from the request, `day` days after the start, to the end of the day."""

    story: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,59}$")]
    title: _Title
    source: Name
    day: Annotated[float, Field(ge=0, le=MOST_DAYS)] = 0
    request: Request
    mail: str = "accept"
    acts: list[Act] = []
    expect: Expected

    @field_validator("mail")
    @classmethod
    def _known_treatment(cls, text: str) -> str:
        Treatment.parse(text)
        return text


class Day(_Shape):
    """All stories of a day, side by side on one clock."""

    title: _Title
    days: Annotated[int, Field(ge=0, le=MOST_DAYS)]
    stories: Annotated[list[Story], Field(min_length=1)]


def load_day(file: Path) -> Day:
    """Read a day.

    Raises:
        Fault: with every fault of the file, each as `file:line: field: what is wrong`.
    """
    faults: list[FileFault] = []
    document = read_document(file, faults)
    day = shaped(document, Day, faults)
    if day is not None and document is not None:
        faults += _twice(day, document)
        faults += _order(day, document)
    if day is None or faults:
        told = "\n".join(str(fault) for fault in faults)
        raise Fault(f"the day cannot be played:\n{told}", "", "correct the file", code=Exit.USAGE)
    return day


def _twice(day: Day, document: Document) -> Iterator[FileFault]:
    """A story's name is its reference, and its address is how the mailbox knows it: both are its own."""
    names = Counter(story.story for story in day.stories)
    addresses = Counter(story.request.address.lower() for story in day.stories)
    for number, story in enumerate(day.stories):
        if names[story.story] > 1:
            yield document.fault("two stories have this name", "stories", number, "story")
        if addresses[story.request.address.lower()] > 1:
            yield document.fault("two stories have this address", "stories", number, "request", "address")


def _order(day: Day, document: Document) -> Iterator[FileFault]:
    """The clock reaches every request and every act after it, and what is mended was spoilt before."""
    for number, story in enumerate(day.stories):
        if story.day > day.days:
            yield document.fault(f"the clock moves {day.days} days only", "stories", number, "day")
        spoilt = [act.day for act in story.acts if act.spoilt]
        for place, act in enumerate(story.acts):
            field = ("stories", number, "acts", place)
            if act.day > day.days:
                yield document.fault(f"the clock moves {day.days} days only", *field, "day")
            if act.day < story.day:
                yield document.fault(f"upstream asks on day {story.day:g} only", *field, "day")
            if act.act == "mend_and_replay" and not any(before < act.day for before in spoilt):
                yield document.fault("nothing was spoilt before that could be mended", *field, "act")
            if act.spoilt and act.act not in TOLD:
                yield document.fault("only a message from upstream can be spoilt", *field, "spoilt")
