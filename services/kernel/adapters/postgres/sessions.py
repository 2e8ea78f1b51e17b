"""`services.kernel.ledger.people.People` on one connection."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

import asyncpg

from services.kernel.adapters.postgres.connection import in_our_words
from services.kernel.adapters.postgres.due import Statements
from services.kernel.adapters.postgres.queries import sql
from services.kernel.ledger.people import ActsFor, Session, SignInBegun
from services.kernel.ports import Ids


class PeopleStatements(Statements):
    """Each is one statement."""

    async def begin_session(self, site: str, session: Session, lasts: float) -> None:
        """See the port."""
        businesses = json.dumps([[business.business_id, business.name] for business in session.businesses])
        await self._connection.execute(
            sql("session_begin"), session.token_hash, site, session.person, session.shown_name, businesses,
            session.business_id, session.language, session.csrf, session.id_token, lasts, list(session.roles),
        )  # fmt: skip

    async def session(self, site: str, token_hash: bytes, idle: float, *, seen: bool = True) -> Session | None:
        """See the port."""
        rows = await self._all("session_find", token_hash, site, idle, seen)
        if not rows:
            return None
        values = dict(rows[0].items())
        businesses = tuple(ActsFor(*pair) for pair in json.loads(values.pop("businesses")))
        roles = tuple(values.pop("roles"))
        return Session(token_hash=token_hash, businesses=businesses, roles=roles, **values)

    async def change_session(self, token_hash: bytes, language: str, business_id: str | None) -> None:
        """See the port."""
        await self._connection.execute(sql("session_change"), token_hash, language, business_id)

    async def end_session(self, token_hash: bytes) -> None:
        """See the port."""
        await self._connection.execute(sql("session_end"), token_hash)

    async def tidy_sessions(self, site: str, idle: float) -> None:
        """See the port."""
        await self._connection.execute(sql("session_tidy"), site, idle)

    async def begin_sign_in(self, state_hash: bytes, begun: SignInBegun) -> None:
        """See the port."""
        values = begun.nonce, begun.verifier, begun.go_to, begun.language
        await self._connection.execute(sql("sign_in_begin"), state_hash, *values)

    async def end_sign_in(self, state_hash: bytes) -> SignInBegun | None:
        """See the port."""
        rows = await self._all("sign_in_end", state_hash)
        return SignInBegun(**dict(rows[0].items())) if rows else None

    async def record_access(
        self, site: str, person: str, act: str, *, allowed: bool = True, business_id: str | None = None,
        notice_id: UUID | None = None, detail: str = "",
    ) -> None:  # fmt: skip
        """See the port."""
        await self._connection.execute(sql("access_record"), site, person, act, allowed, business_id, notice_id, detail)


class PostgresPeople:
    """`services.kernel.ledger.people.PeopleLedger` over the pool of a ledger."""

    def __init__(self, pool: asyncpg.Pool[asyncpg.Record], ids: Ids) -> None:
        self._pool, self._ids = pool, ids

    @asynccontextmanager
    async def open(self) -> AsyncIterator[PeopleStatements]:
        """See the port."""
        async with in_our_words(), self._pool.acquire() as connection:
            yield PeopleStatements(connection, self._ids)

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[PeopleStatements]:
        """See the port."""
        async with in_our_words(), self._pool.acquire() as connection, connection.transaction():
            yield PeopleStatements(connection, self._ids)
