"""What a provider's module is asked and answers, and how it refuses."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from services.callbacks.reading import parsed

LONGEST_EVENT_ID = 200
_EVENT_ID = re.compile(rf"[\x21-\x7e]{{1,{LONGEST_EVENT_ID}}}")
_UNIX = re.compile(r"\d{1,11}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Call:
    """One request as it came.

    `headers` are asked by lower-case name. `at` is when it came, in Unix seconds of wall time. `name` is what the path
    says after the provider.
    """

    body: bytes
    headers: Mapping[str, str]
    at: float
    name: str = ""


@dataclass(frozen=True, slots=True)
class Event:
    """One event of a call: its id with its sender, its bytes as they came, and what they say as JSON, if they do."""

    event_id: str
    body: bytes
    told: object


@dataclass(frozen=True, slots=True)
class Verified:
    """What a genuine call brought. `proof` says how that is known, and has no secret.

    `batch`: the body carried many events, and only as a whole can its signature be verified again.
    """

    source: str
    proof: Mapping[str, str]
    events: tuple[Event, ...] = ()
    batch: bool = False


class Refused(Exception):
    """The call proves nothing, and nothing of it is kept. `outcome` is a code for the counter."""

    public = True

    def __init__(self, status: int, outcome: str, why: str) -> None:
        super().__init__(why)
        self.status, self.outcome, self.why = status, outcome, why


class Unreachable(Exception):
    """What is needed to verify the call cannot be had now; the same call may come again in a moment."""

    public = True


class Provider(Protocol):
    """One kind of sender."""

    async def verify(self, call: Call) -> Verified:
        """What the call brought, once its sender is proved.

        Raises:
            Refused: it is not proved, or too old.
            Unreachable: it cannot be proved now.
        """


@dataclass(frozen=True, slots=True)
class Freshness:
    """How far a signed time may lie from the clock, in seconds.

    `tolerance` either way; `retried_for` more into the past, where a provider that tries again signs only once.
    """

    tolerance: float
    retried_for: float = 0.0

    def check(self, signed_at: float, call: Call) -> None:
        """Nothing, if the signed time is near enough.

        Raises:
            Refused: it is not.
        """
        if not -self.tolerance <= call.at - signed_at <= self.tolerance + self.retried_for:
            raise Refused(403, "stale", "the signed time is too far from now")

    def check_unix(self, digits: str, call: Call) -> None:
        """The same, for a time in Unix seconds as it was written.

        Raises:
            Refused: it is not near enough, or no time.
        """
        if not _UNIX.fullmatch(digits):
            raise forged("the signed time is not in Unix seconds")
        self.check(float(digits), call)


def unsigned(what: str) -> Refused:
    """The refusal of a call without what would prove its sender."""
    return Refused(401, "unsigned", f"the call has no {what}")


def forged(why: str) -> Refused:
    """The refusal of a call whose proof does not hold."""
    return Refused(403, "forged", why)


def stranger(why: str) -> Refused:
    """The refusal of a sender who is not in the settings."""
    return Refused(403, "stranger", why)


def malformed(why: str) -> Refused:
    """The refusal of a call whose sender is proved, and whose form is wrong."""
    return Refused(400, "malformed", why)


def event(event_id: object, body: bytes, told: object) -> Event:
    """An event. Without an id that is fit to be kept, its content is its id."""
    fit = isinstance(event_id, str) and _EVENT_ID.fullmatch(event_id)
    return Event(str(event_id) if fit else hashlib.sha256(body).hexdigest(), body, told)


def whole(body: bytes) -> Event:
    """A genuine body that nobody can cut: kept as one event, so that a person may read it."""
    return event(None, body, parsed(body))
