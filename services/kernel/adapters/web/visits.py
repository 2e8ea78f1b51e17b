"""One request to a site of pages with sign-in: whose it is, and how it is answered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import UUID

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from services.kernel.adapters.pages import Pages
from services.kernel.adapters.web.forms import comes_from, form_of, safe_path
from services.kernel.adapters.web.limits import RateLimit, client_of
from services.kernel.adapters.web.sessions import Cookie, Sessions, is_token
from services.kernel.adapters.web.sign_in import SignIn
from services.kernel.ledger.people import People, PeopleLedger, Session

NOBODY = "nobody"
_YEAR = 365 * 86400
_LONGEST = 3_000
"""Of an address that we lead to, which may name a page's worth of items; a proxy's headers have room for it."""


class Problem(Exception):
    """The request ends on a page that says why. `key` is that of its words, `seconds` when to come again."""

    def __init__(self, status: int, key: str, seconds: float = 0) -> None:
        super().__init__(status, key)
        self.status, self.key, self.seconds = status, key, seconds


@dataclass(slots=True)
class Limits:
    """How often a client may come: to any page, and to sign in."""

    pages: RateLimit
    sign_ins: RateLimit


def a_minute(allowed: float) -> RateLimit:
    """So many a minute; a quarter of them may be used at once."""
    return RateLimit(allowed / 60, max(1, allowed / 4))


@dataclass(slots=True)
class Cookies:
    """The cookies of a site. `secure`: TLS ends in front of us."""

    session: Cookie
    language: Cookie
    state: Cookie
    asked: Cookie

    @classmethod
    def of(cls, session: str, prefix: str, *, secure: bool) -> Cookies:
        """A site's session cookie by its name; the others begin with a prefix."""
        others = (Cookie(prefix + name, secure) for name in ("language", "sign-in", "asked"))
        return cls(Cookie(session, secure), *others)


@dataclass(slots=True)
class Site:
    """What every site of pages works with. `origin` is how the browser knows us, once we listen.

    `first` is where a sign-in leads when no page was asked for, `within` what the paths begin with that may be asked
    for. `url` is what browsers are told to call us, empty for this host and port; `hsts`: see `SecurityHeaders`.
    """

    name: str
    people: PeopleLedger
    pages: Pages
    sign_in: SignIn
    limits: Limits
    sessions: Sessions
    cookies: Cookies
    url: str
    hsts: bool
    first: str
    within: str
    origin: str = field(default="", kw_only=True)


@dataclass(slots=True)
class Visit:
    """A request, and the session that it belongs to, None where nobody is signed in."""

    site: Site
    request: Request
    session: Session | None = None

    @property
    def language(self) -> str:
        """The session's, the one that was chosen in this browser, or the one that the browser prefers."""
        known = self.site.pages.languages
        if self.session is not None and self.session.language in known:
            return self.session.language
        chosen = self.site.cookies.language.of(self.request)
        return chosen if chosen in known else preferred(self.request.headers.get("accept-language", ""), known)

    @property
    def person(self) -> Session:
        """Who is signed in.

        Raises:
            Problem: nobody.
        """
        if self.session is None:
            raise Problem(403, "session_ended")
        return self.session

    def is_by_itself(self) -> bool:
        """Whether the page itself asks, and nobody who looks at it."""
        return False

    def shown_to(self) -> object | None:
        """Who looks, as the frame of the pages shows it; None where nobody is signed in."""
        return self.session

    def id(self, name: str) -> UUID:
        """An id of the path.

        Raises:
            Problem: it is none, which is as good as one that is not there.
        """
        try:
            return UUID(self.request.path_params[name])
        except ValueError:
            raise Problem(404, "not_found") from None

    async def form(self) -> Mapping[str, str]:
        """The fields of a small form; whoever is signed in must bring their token.

        Raises:
            Problem: the form is not from our page, or of another session.
        """
        fields = await form_of(self.request)
        self.check_origin()
        self.check_token(fields.get("csrf", ""))
        return fields

    def check_token(self, token: str) -> None:
        """Whether a form is of this session.

        Raises:
            Problem: it is of another, or of none.
        """
        if self.session is not None and not is_token(self.session, token):
            raise Problem(403, "form_expired")

    def check_origin(self) -> None:
        """Whether one of our own pages sent it, as far as the browser tells.

        Raises:
            Problem: another site's did.
        """
        if not comes_from(self.request, self.site.origin):
            raise Problem(403, "form_expired")

    def limit(self, limit: RateLimit, who: str = "") -> None:
        """Count this request.

        Raises:
            Problem: it is one too many.
        """
        seconds = limit.wait(who or client_of(self.request))
        if seconds:
            raise Problem(429, "too_many", seconds)

    async def record(
        self, tx: People, act: str, *, allowed: bool = True, business_id: str | None = None,
        notice_id: UUID | None = None, detail: str = "",
    ) -> None:  # fmt: skip
        """Note what this person did, or was not allowed to do."""
        person = self.session.person if self.session else NOBODY
        await tx.record_access(
            self.site.name, person, act, allowed=allowed, business_id=business_id, notice_id=notice_id, detail=detail
        )

    def write(self, template: str, status: int = 200, /, **values: object) -> HTMLResponse:
        """A page in the reader's language."""
        return self.site.pages.write(template, self.language, status, **values)

    def problem(self, problem: Problem) -> Response:
        """The page that says why not."""
        page = self.write(
            "problem.html", problem.status, reader=self.shown_to(), status=problem.status, key=problem.key
        )
        if problem.seconds:
            page.headers["retry-after"] = str(max(1, round(problem.seconds + 0.5)))
        return page

    def keep_language(self, response: Response, language: str) -> None:
        """Have the browser remember the language, so that it holds before signing in, too."""
        self.site.cookies.language.give(response, language, _YEAR)


def to(path: str) -> RedirectResponse:
    """Lead the browser to a page of ours."""
    return RedirectResponse(safe_path(path, _LONGEST), 303)


def preferred(accepted: str, known: tuple[str, ...]) -> str:
    """The first language of `Accept-Language` that we have, else our own first; weights are rarely out of order."""
    for part in accepted.split(",")[:10]:
        language = part.partition(";")[0].strip().partition("-")[0].lower()
        if language in known:
            return language
    return known[0]
