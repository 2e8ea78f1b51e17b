"""Why a request is refused, in problem details (RFC 9457): one table of kinds, each with its status and its page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from starlette.responses import Response

from schemas.resources import Problem, Wrong

MEDIA_TYPE = "application/problem+json"
MOST_ERRORS = 500


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of problem: its name in `/problems/<name>`, status, title, and what the caller can do."""

    name: str
    status: int
    title: str
    todo: str


NOT_READABLE = Kind("not-readable", 400, "The request cannot be read", "Correct its form; nothing was taken in.")
NOT_AUTHENTICATED = Kind(
    "not-authenticated", 401, "Who asks is not known",
    "Send an API key or a bearer token of the issuer that Duly believes, in the header Authorization.",
)  # fmt: skip
NOT_ALLOWED = Kind(
    "not-allowed", 403, "This source may not do that", "Send each source's events with that source's own key or token."
)
NOT_FOUND = Kind("not-found", 404, "There is no such thing", "Check the address; another source's notices are unseen.")
NO_SUCH_METHOD = Kind("no-such-method", 405, "Not by this method", "The header Allow names the methods.")
KNOWN_OTHERWISE = Kind(
    "known-otherwise", 409, "Known with other data",
    "Keep an event's id when sending it again, and give another event another id; none of these was taken in.",
)  # fmt: skip
TOO_LONG = Kind("too-long", 413, "Longer than the door takes", "Send fewer events at a time.")
NO_SUCH_FORM = Kind(
    "no-such-form", 415, "Not in a form that the door reads", "The header Accept names the forms that it reads."
)
FAULTY_EVENTS = Kind(
    "faulty-events", 422, "Events have faults", "Correct every one that is listed, and send all again: none was taken."
)
TOO_MANY = Kind("too-many", 429, "Too many requests", "Come again after the seconds of the header Retry-After.")
BROKEN = Kind("broken", 500, "The door failed", "Send the same again; if it fails again, tell the operators.")
UNAVAILABLE = Kind(
    "unavailable", 503, "The door cannot work now", "Send the same again after the seconds of Retry-After."
)

KINDS: Mapping[str, Kind] = {
    kind.name: kind
    for kind in (
        NOT_READABLE, NOT_AUTHENTICATED, NOT_ALLOWED, NOT_FOUND, NO_SUCH_METHOD, KNOWN_OTHERWISE, TOO_LONG,
        NO_SUCH_FORM, FAULTY_EVENTS, TOO_MANY, BROKEN, UNAVAILABLE,
    )
}  # fmt: skip


class Refusal(Exception):
    """The request is refused as a whole."""

    def __init__(
        self, kind: Kind, detail: str, errors: Sequence[Wrong] = (), headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(detail)
        self.kind, self.detail, self.errors, self.headers = kind, detail, errors, headers or {}

    def answer(self) -> Response:
        """As the caller is told."""
        kind, shown = self.kind, tuple(self.errors[:MOST_ERRORS])
        surplus = len(self.errors) - len(shown)
        detail = f"{self.detail}; the first {MOST_ERRORS} of {len(self.errors)} are listed" if surplus else self.detail
        told = Problem(type=f"/problems/{kind.name}", title=kind.title, status=kind.status, detail=detail, errors=shown)
        return Response(told.model_dump_json(), kind.status, self.headers, MEDIA_TYPE)


def come_again(kind: Kind, detail: str, seconds: float) -> Refusal:
    """Refused for now."""
    return Refusal(kind, detail, headers={"retry-after": str(max(1, round(seconds + 0.5)))})
