"""Sign-in of a trial: invented people to click on. It works on this machine alone, and in a trial database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from services.kernel.adapters.mail.settings import is_loopback
from services.kernel.adapters.web.sign_in import Journey, Person, SignInRefused
from services.kernel.ledger import Clock
from services.kernel.ledger.inbox import InboxLedger
from services.kernel.ledger.people import ActsFor
from services.kernel.runtime.fault import Exit, Fault

_MOST = 30
_NAMES = ("Ann Price", "Bryn Evans", "Carys Jones", "David Okafor", "Elin Hughes", "Farah Khan", "Gareth Lloyd")
_ADVISER = "Helen Marsh"
_OFFICERS = ("Rhys Bevan", "Olive Okoro", "Callum Reid", "Dilys Morgan", "Adeel Aziz", "Mair Powell")


class _Clock(Protocol):
    async def clock(self) -> Clock:
        """The database's clock, which says whether it is a trial's."""


class _Clocks(Protocol):
    def open(self) -> AbstractAsyncContextManager[_Clock]:
        """A connection."""


@dataclass(frozen=True, slots=True)
class ByClick:
    """One is whom one clicks on. `host` is where the pages listen."""

    ledger: _Clocks
    host: str
    is_trial: bool = True
    forms: tuple[str, ...] = ()

    async def check(self) -> None:
        """See the port.

        Raises:
            Fault: the database was not made for trial, or the pages can be reached from outside this machine.
        """
        if not is_loopback(self.host):
            todo = "listen on 127.0.0.1, or sign people in by OpenID Connect"
            raise Fault("a trial's sign-in is for this machine alone", self.host, todo, code=Exit.USAGE)
        async with self.ledger.open() as tx:
            trial = (await tx.clock()).trial
        if not trial:
            todo = "set DULY_OIDC_ISSUER, or use a database that was made for trial"
            raise Fault("a trial's sign-in needs a trial's database", "", todo, code=Exit.USAGE)

    async def people(self) -> Sequence[Person]:
        """See the port: nobody yet."""
        return ()

    async def begin(self, form: Mapping[str, str], back: str) -> Journey | Person:  # noqa: ARG002 -- nobody leads back
        """See the port."""
        for person in await self.people():
            if person.person == form.get("person"):
                return person
        raise SignInRefused("unknown_person")

    async def end(self, query: Mapping[str, str], nonce: str, verifier: str, back: str) -> Person:  # noqa: ARG002
        """See the port."""
        raise SignInRefused("not_begun")

    async def leave(self, id_token: str, back: str) -> str | None:  # noqa: ARG002 -- there is no provider
        """See the port."""
        return None


@dataclass(frozen=True, slots=True)
class TrialSignIn(ByClick):
    """One person a business of the trial, and an adviser who acts for them all."""

    ledger: InboxLedger

    async def people(self) -> Sequence[Person]:
        """See the port."""
        await self.check()
        async with self.ledger.open() as tx:
            businesses = await tx.businesses(_MOST)
        people = [_owner(number, business) for number, business in enumerate(businesses)]
        adviser = Person("trial:adviser", _ADVISER, tuple(businesses))
        return [*people, adviser] if len(businesses) > 1 else people


@dataclass(frozen=True, slots=True)
class TrialOfficers(ByClick):
    """One person of each role; `roles` in the order in which they are shown."""

    roles: tuple[str, ...] = ()

    async def people(self) -> Sequence[Person]:
        """See the port."""
        await self.check()
        return [
            Person(f"trial:{role}", _OFFICERS[number % len(_OFFICERS)], roles=(role,))
            for number, role in enumerate(self.roles)
        ]


def _owner(number: int, business: ActsFor) -> Person:
    return Person(f"trial:{business.business_id}", _NAMES[number % len(_NAMES)], (business,))
