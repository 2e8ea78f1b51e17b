"""Which dead letters a page is about, in its address and in its forms: what cannot be read there chooses nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode
from uuid import UUID

from services.console.roles import Act
from services.console.visit import Problem, Visit
from services.kernel.domain.impact import Impact
from services.kernel.runtime.dead_letters.choice import OPEN, STATES, Chosen

ALL = "all"
OPEN_ONES = "open"
SPANS = {"1h": timedelta(hours=1), "24h": timedelta(days=1), "7d": timedelta(days=7)}
_TEXTS = ("worker", "type", "cause", "template", "text")
_LONGEST = 400
_IDS_MOST = 500
_YEARS = 1970, 2999

Pairs = list[tuple[str, str]]


async def asked(visit: Visit, state: str = "dead") -> Chosen:
    """What the address chooses; `state` where it says none.

    Raises:
        Problem: a value is none that there is; or it searches what messages say, for somebody who may not read them.
    """
    chosen = _chosen(visit.request.query_params.getlist, state)
    if chosen.text and not visit.may(Act.READ_MESSAGE):
        await visit.note(Act.READ_MESSAGE, allowed=False, detail="searched what the messages of dead letters say")
        raise Problem(403, "not_your_role")
    return chosen


def sent(visit: Visit) -> Chosen:
    """What a form chooses, in the fields that `pairs` wrote."""
    return _chosen(visit.fields.all, "dead")


def pairs(chosen: Chosen) -> Pairs:
    """The choice as names and values, for addresses and hidden fields."""
    found = [("id", str(each)) for each in chosen.ids or ()]
    found += [("state", state) for state in (chosen.states or (ALL,))]
    found += [(name, value) for name in _TEXTS if (value := getattr(chosen, name))]
    if chosen.impact is not None:
        found.append(("impact", chosen.impact.value))
    if chosen.since is not None:
        found.append(("since", chosen.since.isoformat()))
    return found


def address(path: str, chosen: Chosen, **more: str) -> str:
    """A page's address with the choice in it."""
    return f"{path}?{urlencode([*pairs(chosen), *more.items()])}"


def _chosen(values: Callable[[str], Sequence[str]], state: str) -> Chosen:
    """The choice.

    Raises:
        Problem: a value is none that there is. It must not be passed over: the choice would be wider than it reads.
    """
    try:
        ids = tuple(dict.fromkeys(UUID(each) for each in values("id")))
        texts = {name: _text(_last(values(name))) for name in _TEXTS}
        impact = Impact(said) if (said := _last(values("impact"))) else None
        since = _since(_last(values("since")))
    except ValueError:
        raise Problem(404, "not_found") from None
    if len(ids) > _IDS_MOST:
        raise Problem(413, "too_large")
    states = _states([each for each in values("state") if each] or [ALL if ids else state])
    return Chosen(ids=ids or None, states=states, impact=impact, since=since, **texts)


def _last(values: Sequence[str]) -> str:
    return values[-1].strip() if values else ""


def _text(said: str) -> str | None:
    if "\x00" in said:
        raise ValueError("no text of the database has this character")
    return said[:_LONGEST] or None


def _states(said: Sequence[str]) -> tuple[str, ...] | None:
    if ALL in said:
        return None
    if OPEN_ONES in said:
        return OPEN
    if not set(said) <= set(STATES):
        raise Problem(404, "not_found")
    return tuple(dict.fromkeys(said))


def _since(said: str) -> datetime | None:
    """An instant of wall time, from a span before now or as it was written into an address."""
    if not said:
        return None
    if said in SPANS:
        return datetime.now(UTC) - SPANS[said]
    return instant_of(said)


def instant_of(said: str) -> datetime:
    """An instant of an address, in UTC unless it says otherwise.

    Raises:
        ValueError: it is none, or so far away that no calendar of ours has it.
    """
    instant = datetime.fromisoformat(said)
    if not _YEARS[0] <= instant.year <= _YEARS[1]:
        raise ValueError("too far away")
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)
