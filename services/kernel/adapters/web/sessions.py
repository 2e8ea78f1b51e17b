"""Sessions of signed-in people, kept in the database: the browser holds 32 random bytes, the database their SHA-256.

Standards: RFC 6265bis (cookies with the prefix `__Host-`, `HttpOnly`, `Secure`, `SameSite=Lax`).
"""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass, replace
from hashlib import sha256

from starlette.requests import Request
from starlette.responses import Response

from services.kernel.adapters.web.sign_in import Person
from services.kernel.ledger.people import People, Session

_BYTES = 32


@dataclass(frozen=True, slots=True)
class Cookie:
    """One cookie of a site. `secure`: TLS ends in front of us; then the browser sends it back to this host alone."""

    name: str
    secure: bool

    @property
    def full_name(self) -> str:
        """As the browser knows it."""
        return f"__Host-{self.name}" if self.secure else self.name

    def of(self, request: Request) -> str:
        """What the browser sent, or nothing."""
        return request.cookies.get(self.full_name, "")

    def give(self, response: Response, value: str, seconds: int | None = None) -> None:
        """Have the browser keep a value, until it is closed or for so many seconds."""
        response.set_cookie(
            self.full_name, value, max_age=seconds, path="/", secure=self.secure, httponly=True, samesite="lax"
        )

    def take(self, response: Response) -> None:
        """Have the browser forget it."""
        response.delete_cookie(self.full_name, path="/", secure=self.secure, httponly=True, samesite="lax")


@dataclass(frozen=True, slots=True)
class Sessions:
    """The sessions of one site. `idle` and `lasts` are seconds: without a request, and at the longest."""

    site: str
    cookie: Cookie
    idle: float
    lasts: float

    async def of(self, request: Request, people: People, *, seen: bool = True) -> Session | None:
        """The session that a request belongs to, if it is signed in; `seen`: its person asked for this."""
        token = self.cookie.of(request)
        return await people.session(self.site, _hash(token), self.idle, seen=seen) if token else None

    async def begin(self, person: Person, language: str, people: People) -> tuple[Session, str]:
        """Sign a person in: a new session, and the token for their browser. Of one business they act at once."""
        token = secrets.token_urlsafe(_BYTES)
        session = Session(
            token_hash=_hash(token),
            person=person.person,
            shown_name=person.name,
            businesses=person.businesses,
            business_id=person.businesses[0].business_id if len(person.businesses) == 1 else None,
            language=language,
            csrf=secrets.token_urlsafe(_BYTES),
            id_token=person.id_token,
            roles=person.roles,
        )
        await people.begin_session(self.site, session, self.lasts)
        return session, token

    async def change(
        self, session: Session, people: People, *, language: str | None = None, business_id: str | None = None
    ) -> Session:
        """Another language or another business."""
        changed = replace(
            session, language=language or session.language, business_id=business_id or session.business_id
        )
        await people.change_session(session.token_hash, changed.language, changed.business_id)
        return changed


def is_token(session: Session, given: str) -> bool:
    """Whether a form brings the session's token; the time that it takes says nothing about it."""
    return hmac.compare_digest(session.csrf.encode(), given.encode(errors="replace"))


def new_secret() -> str:
    """Something that nobody can guess: 32 bytes, fit for a URL."""
    return secrets.token_urlsafe(_BYTES)


def hash_of(secret: str) -> bytes:
    """What is kept of a secret."""
    return _hash(secret)


def _hash(token: str) -> bytes:
    return sha256(token.encode(errors="replace")).digest()
