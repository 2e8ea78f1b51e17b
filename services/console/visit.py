"""One request to the console: who asks, as what, and how they are answered."""

from __future__ import annotations

import base64
import json
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import TypeAlias
from urllib.parse import quote, urlencode
from uuid import UUID

from starlette.responses import HTMLResponse, RedirectResponse, Response

from services.console.live import Refreshed
from services.console.ports import ConsoleDesk, ConsoleDesks
from services.console.roles import Act, Role, may
from services.console.settings import ConsoleSettings
from services.kernel.adapters.web import visits
from services.kernel.adapters.web.sessions import Cookie, hash_of
from services.kernel.adapters.web.visits import Problem, Site, to
from services.kernel.domain.library import Library
from services.kernel.domain.persons import signature
from services.kernel.ledger.desk import Standing
from services.kernel.ports import Ids
from services.kernel.runtime.desk import Word, word
from services.kernel.runtime.fault import Fault

__all__ = ["SITE", "Console", "Page", "Problem", "Visit", "to"]

SITE = "console"
_MOST_SAID = 600
_SAID_SECONDS = 60
_MOST_DETAIL = 400


@dataclass(frozen=True, slots=True)
class Page:
    """One route, and the act that it is. `menu`: the key of its words in the menu, where it has a place there.

    `alone`: also for who is not signed in; then it is no act. A path with `{notice_id}` names a notice in the record.
    """

    method: str
    path: str
    show: Callable[[Visit], Awaitable[Response]]
    may: Act | None
    menu: str = ""
    alone: bool = False


Pages: TypeAlias = tuple[Page, ...]


@dataclass(slots=True)
class Console(Site):
    """What the pages of the console work with. `table` are all pages; `said` carries a word to the next page."""

    desks: ConsoleDesks
    settings: ConsoleSettings
    library: Library
    ids: Ids
    said: Cookie
    table: Pages = ()
    refreshed: Refreshed = field(default_factory=Refreshed)


@dataclass(frozen=True, slots=True)
class Officer:
    """Who looks, as the frame shows them."""

    name: str
    csrf: str
    roles: tuple[Role, ...]
    business: None = None
    businesses: tuple[()] = ()


class Fields:
    """The fields of a form that was sent, its token checked."""

    def __init__(self, values: dict[str, list[str]]) -> None:
        self._values = values

    def get(self, name: str, otherwise: str = "") -> str:
        """The last value of a field, without space around it."""
        return self._values.get(name, [otherwise])[-1].strip()

    def raw(self, name: str) -> str:
        """The last value of a field, as it was typed, with the line ends of the web made those of a file."""
        return self._values.get(name, [""])[-1].replace("\r\n", "\n")

    def all(self, name: str) -> list[str]:
        """Every value of a field."""
        return self._values.get(name, [])


@dataclass(slots=True)
class Visit(visits.Visit):
    """A request to the console. `fields` are those of a form, `standing` what everybody must know, once admitted.

    `act` is what they were admitted to; `is_same_look`: the page asked by itself, within a look that is on record.
    """

    site: Console
    fields: Fields = field(default_factory=lambda: Fields({}))
    standing: Standing | None = None
    seconds: int = 0
    act: Act | None = None
    is_same_look: bool = False

    # --- who, and what they may ---------------------------------------------------------------------------------------

    @property
    def by(self) -> str:
        """Who acts, for the evidence: the name with the stable id."""
        return signature(self.person.shown_name, self.person.person)

    def word(self) -> Word:
        """Who decides, and why: the form's field `reason`.

        Raises:
            Fault: there is no reason, or one that cannot be recorded.
        """
        return word(self.by, self.fields.get("reason"))

    def may(self, act: Act | str) -> bool:
        """Whether this person may do this."""
        return self.session is not None and may(self.session.roles, Act(act))

    def there(self, path: str) -> bool:
        """Whether there is such a page (its path as the table has it), and this person may see it."""
        return any(
            page.method == "GET" and page.path == path and page.may is not None and self.may(page.may)
            for page in self.site.table
        )

    # --- what they asked ----------------------------------------------------------------------------------------------

    def query(self, name: str) -> str:
        """A value of the address's query, without space around it; empty where there is none."""
        return self.request.query_params.get(name, "").replace("\x00", "").strip()

    def query_id(self, name: str) -> UUID | None:
        """An id of the address's query; what is none is as good as none."""
        try:
            return UUID(self.query(name))
        except ValueError:
            return None

    @property
    def now(self) -> Standing:
        """How things stood when this person was let in, with the clocks.

        Raises:
            Problem: nobody was.
        """
        if self.standing is None:
            raise Problem(403, "session_ended")
        return self.standing

    def desk(self) -> AbstractAsyncContextManager[ConsoleDesk]:
        """The desk, until the end of the block."""
        return self.site.desks.open()

    async def note(self, act: Act, *, allowed: bool = True, notice_id: UUID | None = None, detail: str = "") -> None:
        """Put on record what this person did or may not do."""
        async with self.site.people.open() as tx:
            await self.record(tx, act.value, allowed=allowed, notice_id=notice_id, detail=detail[:_MOST_DETAIL])

    async def note_refusal(self, fault: Fault) -> None:
        """Put on record that what this person's role lets them do was refused, and why."""
        if self.act is not None:
            await self.note(self.act, allowed=False, notice_id=self.named_notice, detail=f"refused: {fault.what}")

    @property
    def named_notice(self) -> UUID | None:
        """The notice that the path names, if it names one."""
        try:
            return UUID(self.request.path_params.get("notice_id", ""))
        except ValueError:
            return None

    # --- how they are answered ----------------------------------------------------------------------------------------

    def live(self, seconds: int = 10) -> None:
        """Have this page show itself again every so many seconds, until the reader pauses it. Call it before `write`.

        Without a script the browser loads the whole page; with ours, which is served from here, only what changed is
        put in its place. What the reader did not ask for is not recorded as a look, ten minutes long.
        """
        self.seconds = 0 if "pause" in self.request.query_params else seconds

    def is_by_itself(self) -> bool:
        """See the site: what shows itself again, which keeps nobody signed in."""
        token = self.site.cookies.session.of(self.request)
        return bool(token) and self.site.refreshed.was_asked(hash_of(token), self.request)

    def shown_to(self) -> Officer | None:
        """See the site."""
        if self.session is None:
            return None
        roles = tuple(role for role in Role if role in self.session.roles)
        return Officer(self.session.shown_name, self.session.csrf, roles)

    def write(self, template: str, status: int = 200, /, **values: object) -> HTMLResponse:
        """A page in the console's frame. Beside what is passed it knows `may(act)` and `there(path)`."""
        frame = {
            "reader": self.shown_to(),
            "menu": [(page.menu, page.path) for page in self.site.table if page.menu and self.there(page.path)],
            "at": self.request.url.path,
            "standing": self.standing,
            "may": self.may,
            "there": self.there,
            "seconds": self.seconds,
            "is_live": self.seconds or "pause" in self.request.query_params,
            "pause": self._beside(pause="1"),
            "go_on": self._beside(),
            "said": _said(self.site.said.of(self.request)),
        }
        page = visits.Visit.write(self, template, status, **{**frame, **values})
        if frame["said"]:
            self.site.said.take(page)
        if self.seconds:
            self.site.refreshed.ask(self.person, self.request)
        return page

    def _beside(self, **more: str) -> str:
        """The address of this page, as it was asked for, paused or not."""
        asked = [(name, value) for name, value in self.request.query_params.multi_items() if name != "pause"]
        return f"{quote(self.request.url.path)}?{urlencode([*asked, *more.items()])}".removesuffix("?")

    def done(self, path: str, text: object, tone: str = "good") -> RedirectResponse:
        """Lead to a page which says that it was done."""
        response = to(path)
        said = json.dumps([tone, str(text)[:_MOST_SAID]]).encode()
        self.site.said.give(response, base64.urlsafe_b64encode(said).decode(), _SAID_SECONDS)
        return response

    async def refused(self, path: str, fault: Fault) -> RedirectResponse:
        """Lead to a page which says why it was not done; that it was not is on record as well."""
        await self.note_refusal(fault)
        return self.done(path, fault.what, "bad")


def _said(cookie: str) -> tuple[str, str] | None:
    """What a page before this one wants said; what nobody of ours wrote is nothing."""
    try:
        tone, text = json.loads(base64.urlsafe_b64decode(cookie.encode("ascii")))
    except (ValueError, TypeError):
        return None
    return (tone, text) if tone in {"good", "bad", "wait"} and isinstance(text, str) else None
