"""The port to the outside: one post, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from http import HTTPStatus
from typing import Protocol
from urllib.parse import urlsplit

from services.kernel.adapters.mail.settings import is_loopback

_URL_MOST = 2_000


class Reach(Enum):
    """Which addresses may be posted to."""

    PUBLIC = "public addresses"
    ANY = "any address"
    LOOPBACK = "this machine, as the database is a trial's"


def reach_of(*, trial: bool, private: bool) -> Reach:
    """A trial reaches this machine alone; all others reach public addresses, and private ones where that is allowed."""
    if trial:
        return Reach.LOOPBACK
    return Reach.ANY if private else Reach.PUBLIC


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of one post: a status, or a failure in our own words; never anything of what the receiver wrote.

    `retry_after`: the seconds that the receiver asked us to wait.
    """

    status: int | None
    failure: str = ""
    retry_after: float | None = None

    @property
    def taken(self) -> bool:
        """The receiver has it."""
        return self.status is not None and HTTPStatus.OK <= self.status < HTTPStatus.MULTIPLE_CHOICES

    @property
    def gone(self) -> bool:
        """The receiver wants nothing there any more."""
        return self.status == HTTPStatus.GONE

    @property
    def reason(self) -> str:
        """What to tell a person."""
        return self.failure or f"the receiver answered {self.status}"


class Poster(Protocol):
    """Posts over HTTP: bounded in time, redirects not followed, certificates verified."""

    async def post(self, url: str, headers: Mapping[str, str], body: bytes, reach: Reach) -> Answer:
        """Post once. Never raises for the receiver's or the network's faults."""

    async def close(self) -> None:
        """Close every connection. Never raises."""


def url_fault(url: str) -> str | None:
    """What is wrong with a webhook's URL, or None."""
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname, parts.port
    except ValueError:
        return "it is no URL"
    if len(url) > _URL_MOST or not url.isascii() or not url.isprintable() or " " in url:
        return f"it should be plain ASCII without spaces, {_URL_MOST} characters at most"
    if not host:
        return "it names no host"
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(host)):
        return "it should begin with https:// (http:// is for this machine alone)"
    if parts.username is not None or parts.password is not None or parts.fragment:
        return "it should have no user, password or fragment"
    return None
