"""The port to what the ledger keeps of people at the pages: their sessions, sign-ins under way, and who did what."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID


@dataclass(frozen=True, slots=True)
class ActsFor:
    """A business that a person may act for, as the sign-in named it."""

    business_id: str
    name: str


@dataclass(frozen=True, slots=True)
class Session:
    """A signed-in person. `token_hash` is the SHA-256 of what their browser holds; `csrf` goes into every form.

    `business_id` is whom they act for now, None until they have chosen. `id_token` ends the session at the provider.
    `roles` are what they were in the console when they signed in.
    """

    token_hash: bytes
    person: str
    shown_name: str
    businesses: tuple[ActsFor, ...]
    business_id: str | None
    language: str
    csrf: str
    id_token: str = ""
    roles: tuple[str, ...] = ()

    @property
    def business_ids(self) -> list[str]:
        """Every business that they may act for: the row scope of what they see."""
        return [business.business_id for business in self.businesses]


@dataclass(frozen=True, slots=True)
class SignInBegun:
    """A sign-in that is under way at the provider. `go_to` is the page that the person asked for first."""

    nonce: str
    verifier: str
    go_to: str
    language: str


class People(Protocol):
    """Sessions, sign-ins under way, and the record of access. Idle and lasting times are seconds of wall time."""

    async def begin_session(self, site: str, session: Session, lasts: float) -> None:
        """Keep a new session."""

    async def session(self, site: str, token_hash: bytes, idle: float, *, seen: bool = True) -> Session | None:
        """The session of this token, if it is neither over nor idle for too long.

        `seen`: its person did something. A page that shows itself again keeps nobody signed in.
        """

    async def change_session(self, token_hash: bytes, language: str, business_id: str | None) -> None:
        """Another language, or another business."""

    async def end_session(self, token_hash: bytes) -> None:
        """Forget a session."""

    async def tidy_sessions(self, site: str, idle: float) -> None:
        """Forget what is over."""

    async def begin_sign_in(self, state_hash: bytes, begun: SignInBegun) -> None:
        """Keep a sign-in that goes to the provider."""

    async def end_sign_in(self, state_hash: bytes) -> SignInBegun | None:
        """The sign-in that came back with this state: once, and within ten minutes."""

    async def record_access(
        self, site: str, person: str, act: str, *, allowed: bool = True, business_id: str | None = None,
        notice_id: UUID | None = None, detail: str = "",
    ) -> None:  # fmt: skip
        """Who did what, allowed or not; kept for ever."""


class PeopleLedger(Protocol):
    """Where a site gets them from."""

    def open(self) -> AbstractAsyncContextManager[People]:
        """A connection; each statement commits by itself.

        Raises:
            LedgerUnavailable: the database cannot be reached.
        """

    def begin(self) -> AbstractAsyncContextManager[People]:
        """A transaction: committed when the block ends, rolled back when it raises.

        Raises:
            LedgerUnavailable: the database cannot be reached.
            LedgerRerun: run the block again.
        """
