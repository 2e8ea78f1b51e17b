"""`duly publish FILE`: CloudEvents from a file, one a line; all of them, or none if any is at fault."""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import unquote, urlsplit

from cyclopts import Parameter
from pydantic_core import from_json

from services.cli import screen
from services.cli.options import Json
from services.cli.screen import Column
from services.kernel.runtime.fault import Exit, Fault
from services.kernel.runtime.settings import BrokerSettings, read

if TYPE_CHECKING:
    from schemas.cloudevents import Envelope
    from services.kernel.adapters.postgres.desk import PostgresDesk

COLUMNS = (Column("line", number=True), Column("what is wrong", fold=True))
CHUNK = 500


@dataclass(frozen=True, slots=True)
class Lines:
    """What a file holds: events that may be published, and the faults of the others by line."""

    events: tuple[Envelope, ...]
    faults: tuple[tuple[int, str], ...]


def publish(
    file: Annotated[str, Parameter(allow_leading_hyphen=True, help="CloudEvents, one a line; - is standard input.")],
    /,
    *,
    source: Annotated[str, Parameter(help="The sender's name, where an event gives none.")] = "",
    keep_going: Annotated[bool, Parameter(help="Publish the sound events though others are at fault.")] = False,
    give_up_after: Annotated[float, Parameter(help="Seconds to go on until the broker has confirmed all.")] = 60.0,
    json: Json = False,
) -> int:
    """Publish events as an upstream system would. All are checked first; if any is at fault, none is published.

    With DULY_BROKER_URL the broker confirms each. Without it they are left in the database for `duly up` to send on.
    """
    lines = _checked(_read(file), source or None)
    if not json and lines.faults:
        screen.table(COLUMNS, lines.faults)
    if lines.faults and not keep_going:
        if json:
            _tell(lines, 0, json=json)
            return Exit.USAGE
        what = f"{len({number for number, _ in lines.faults})} lines are at fault; nothing was published"
        raise Fault(what, file, "mend them, or publish the others with --keep-going", code=Exit.USAGE)
    address = read(BrokerSettings).address
    if lines.events and address:
        asyncio.run(_to_broker(lines.events, address, give_up_after))
    elif lines.events:
        _to_database(lines.events)
    _tell(lines, len(lines.events), json=json)
    return Exit.NO if lines.faults else Exit.OK


def _read(file: str) -> list[bytes]:
    try:
        return (sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()).split(b"\n")
    except OSError as error:
        raise Fault(f"the file cannot be read ({error.strerror})", file, "name a file", code=Exit.USAGE) from error


def _checked(lines: Iterable[bytes], source: str | None) -> Lines:
    """Check every line by itself, then that no id stands twice."""
    found: list[tuple[int, Envelope]] = []
    faults: list[tuple[int, str]] = []
    for number, line in enumerate(lines, start=1):
        if line.strip():
            envelope, wrong = _line(line, source)
            faults += [(number, fault) for fault in wrong]
            if envelope is not None:
                found.append((number, envelope))
    counted = Counter((envelope.source, envelope.id) for _, envelope in found)
    twice = [number for number, envelope in found if counted[envelope.source, envelope.id] > 1]
    faults += [(number, "id: stands on more than one line") for number in twice]
    sound = tuple(envelope for number, envelope in found if number not in twice)
    return Lines(sound, tuple(sorted(faults)))


def _line(line: bytes, source: str | None) -> tuple[Envelope | None, list[str]]:
    from services.kernel.adapters.ids import SystemIds  # noqa: PLC0415 -- heavy
    from services.upstream.events import EventsRefused, prepare  # noqa: PLC0415 -- heavy

    try:
        event = from_json(line)
    except ValueError as error:
        return None, [f"not JSON: {error}"]
    if not isinstance(event, dict):
        return None, ["not a JSON object"]
    try:
        return prepare([event], ids=SystemIds(), source=source)[0], []
    except EventsRefused as refused:
        return None, [fault.removeprefix("event 0: ") for fault in refused.faults]


async def _to_broker(events: Sequence[Envelope], address: str, give_up_after: float) -> None:
    """Publish as `services.upstream.publish` does, over one connection, so that progress can be shown.

    Raises:
        Fault: time ran out before all were confirmed.
    """
    from schemas.catalogue import EXCHANGE  # noqa: PLC0415 -- heavy
    from services.kernel.adapters.broker import Topology, open_broker  # noqa: PLC0415 -- heavy
    from services.kernel.ports import BrokerUnavailable  # noqa: PLC0415 -- heavy
    from services.upstream.publisher import NotConfirmed, Patience, until_confirmed  # noqa: PLC0415 -- heavy

    broker = open_broker(address, Topology(exchange=EXCHANGE, queues=()), "duly publish")
    user = unquote(urlsplit(address).username or "guest")
    confirmed = 0
    try:
        await broker.connect()
        with screen.progress("publishing", len(events)) as advance:
            for at in range(0, len(events), CHUNK):
                chunk = events[at : at + CHUNK]
                await until_confirmed(broker, chunk, Patience(give_up_after), user=user)
                confirmed += len(chunk)
                advance(len(chunk))
    except BrokerUnavailable as away:
        raise Fault(str(away), "DULY_BROKER_URL", "see duly doctor; nothing was published") from away
    except NotConfirmed as ended:
        what = f"the broker has confirmed {confirmed} of {len(events)} events, and not: {ended}"
        todo = "see duly doctor; then publish the file again: events that carry an id count once"
        raise Fault(what, "DULY_BROKER_URL", todo) from ended
    finally:
        await broker.close()


def _to_database(events: Sequence[Envelope]) -> None:
    from services.cli.desk import at_desk  # noqa: PLC0415 -- heavy

    async def work(desk: PostgresDesk) -> None:
        async with desk.begin() as tx:
            await tx.tell([(event.type, event.wire()) for event in events])

    at_desk(work)


def _tell(lines: Lines, count: int, *, json: bool) -> None:
    ids = [event.id for event in lines.events][:count]
    if json:
        faults = [{"line": number, "fault": fault} for number, fault in lines.faults]
        screen.json_line({"published": count, "ids": ids, "faults": faults})
    else:
        where = "and confirmed" if read(BrokerSettings).address else "to the database; `duly up` sends them on"
        screen.line(
            f"{screen.counted(count, 'event')} published {where}" if count else "nothing to publish", screen.GOOD
        )
