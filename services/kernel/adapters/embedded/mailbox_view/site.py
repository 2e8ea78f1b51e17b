"""The mailbox view: every mail that the built-in mailbox took, and what a mail system may send back for it.

It listens on loopback and answers to loopback names only, so that no web site can reach it by a name of its own (DNS
rebinding). A form counts only with the token of this process, which no other origin can read.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qs

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from services.kernel.adapters.embedded.mailbox_view.reading import letter
from services.kernel.adapters.mail.folder import StoredMail
from services.kernel.adapters.mail.mailbox import Mailbox
from services.kernel.adapters.mail.rules import Behaviour
from services.kernel.adapters.pages import Pages
from services.kernel.adapters.web.headers import SecurityHeaders
from services.kernel.adapters.web.limits import BodyTooLong, read_body
from services.kernel.adapters.web.server import WebWorker
from services.kernel.ledger import Ledger

HOST = "127.0.0.1"
NAMES = (HOST, "localhost")
"""What a browser of this machine may call it."""
FOLDER = Path(__file__).parent
A_PAGE = 50
"""Mails in the list at a time."""
_LONGEST_FORM = 4_096
_LONGEST_WORDS = 200
_LANGUAGE = "en"


def mailbox_view(
    mailbox: Mailbox, ledger: Ledger, port: int = 0, *, listening: Callable[[int], None] = lambda _port: None
) -> WebWorker:
    """The view as a worker; with port 0 `listening` hears which it became.

    Raises:
        WordsFault, jinja2.TemplateSyntaxError: its pages are not as they should be.
    """
    app = SecurityHeaders(Site(mailbox).app)
    return WebWorker("mailbox", app, ledger, HOST, port, "DULY_MAILBOX_PORT", listening=listening)


class Site:
    """The pages over one mailbox."""

    def __init__(self, mailbox: Mailbox) -> None:
        self._mailbox = mailbox
        self._pages = Pages(FOLDER / "templates", FOLDER / "words", authority="Duly")
        self._token = secrets.token_urlsafe()
        self._send_back = {
            Behaviour.BOUNCE: mailbox.bounce,
            Behaviour.DELAY: mailbox.delay,
            Behaviour.AUTO_REPLY: mailbox.auto_reply,
        }
        self.app = Starlette(
            routes=[
                Route("/", self._list),
                Route("/mails/{mail_id}", self._mail),
                Route("/mails/{mail_id}/answer", self._answer, methods=["POST"]),
                self._pages.static,
            ],
            middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=NAMES, www_redirect=False)],
            exception_handlers={HTTPException: self._problem},
        )

    async def _list(self, request: Request) -> Response:
        """The newest mails, or those that came before a given one."""
        before = request.query_params.get("before", "")
        every = self._mailbox.ids()
        ids = [mail_id for mail_id in reversed(every) if not before or mail_id < before]
        letters = [letter(self._mailbox.read(mail_id)) for mail_id in ids[:A_PAGE]]
        return self._pages.write(
            "mails.html", _LANGUAGE, letters=letters, count=len(every), newest="/" if before else "",
            older=f"/?before={letters[-1].mail_id}" if len(ids) > A_PAGE else "",
        )  # fmt: skip

    async def _mail(self, request: Request) -> Response:
        sent = request.query_params.get("sent", "")
        return self._pages.write(
            "mail.html", _LANGUAGE, letter=letter(self._read(request)), csrf=self._token, longest=_LONGEST_WORDS,
            sent=sent if sent in self._send_back else "", acts=[str(act) for act in self._send_back],
        )  # fmt: skip

    async def _answer(self, request: Request) -> Response:
        """Send back what the button says, in the words of the form if it has any."""
        mail = self._read(request)
        form = await _form(request)
        if not secrets.compare_digest(form.get("csrf", "").encode(), self._token.encode()):
            raise HTTPException(403)
        act = next((act for act in self._send_back if act == form.get("act")), None)
        if act is None:
            raise HTTPException(400)
        self._send_back[act](mail.mail_id, form.get("says", "")[:_LONGEST_WORDS])
        return RedirectResponse(f"/mails/{mail.mail_id}?sent={act}", 303)

    def _read(self, request: Request) -> StoredMail:
        try:
            return self._mailbox.read(request.path_params["mail_id"])
        except KeyError:
            raise HTTPException(404) from None

    async def _problem(self, _request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        key = f"problem.{status}" if status in {403, 404} else "problem.400"
        return self._pages.write("problem.html", _LANGUAGE, status_code=status, key=key)


async def _form(request: Request) -> dict[str, str]:
    """The fields of a small form, the first of each name.

    Raises:
        HTTPException: 400, it is longer than any of ours, or no text.
    """
    try:
        text = (await read_body(request, _LONGEST_FORM)).decode()
        fields = parse_qs(text, max_num_fields=10)
    except (BodyTooLong, ClientDisconnect, ValueError):
        raise HTTPException(400) from None
    return {name: values[0] for name, values in fields.items()}
