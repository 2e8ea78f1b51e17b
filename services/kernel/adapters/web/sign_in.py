"""The port by which people sign in: at an OpenID provider, or, in a trial on this machine, by a click."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from services.kernel.ledger.people import ActsFor

MOST_BUSINESSES = 200


class SignInRefused(Exception):
    """Nobody is signed in; `reason` is a code for the record and the page, never what a provider wrote.

    `person` is whom the provider vouches for, where that is not the fault.
    """

    public = True

    def __init__(self, reason: str, person: str = "") -> None:
        super().__init__(reason)
        self.reason, self.person = reason, person


class ProviderAway(Exception):
    """The provider cannot be reached or makes no sense; the person may try again."""

    public = True


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody whom the sign-in vouches for. `person` is who they are, for the record; `name` is for people to read.

    `businesses` are whom they may act for in the inbox, `roles` what they are in the console.
    """

    person: str
    name: str
    businesses: tuple[ActsFor, ...] = ()
    id_token: str = ""
    roles: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Journey:
    """A sign-in that leads to the provider: the browser goes to `url` and comes back with `state`."""

    url: str
    state: str
    nonce: str
    verifier: str


class SignIn(Protocol):
    """One way of signing in."""

    @property
    def is_trial(self) -> bool:
        """Whether it is that of a trial."""

    @property
    def forms(self) -> tuple[str, ...]:
        """The origins to which the sign-in's form may lead."""

    async def check(self) -> None:
        """Whether it may be used here and now.

        Raises:
            Fault: it must not.
        """

    async def people(self) -> Sequence[Person]:
        """Whom one may sign in as by a click: in a trial alone."""

    async def begin(self, form: Mapping[str, str], back: str) -> Journey | Person:
        """Begin; `back` is the address to which the provider leads.

        Raises:
            SignInRefused: not so.
            ProviderAway: try again.
        """

    async def end(self, query: Mapping[str, str], nonce: str, verifier: str, back: str) -> Person:
        """Whom the provider vouches for, in answer to what it led back with.

        Raises:
            SignInRefused: nobody.
            ProviderAway: try again.
        """

    async def leave(self, id_token: str, back: str) -> str | None:
        """Where the browser ends its session at the provider, if the provider has that."""
