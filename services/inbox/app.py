"""inbox: the recipient's secure inbox, as pages.

One table of routes; whoever asks, what they may see is decided in SQL by the businesses of their session, and what is
not theirs is 404, as what does not exist. Settings: `services/inbox/settings.py`.
"""

from __future__ import annotations

from typing import TypeAlias

from starlette.types import ASGIApp

from services.inbox import answering, entry, reading
from services.inbox.visit import Inbox, Visit
from services.kernel.adapters.web import entry as door
from services.kernel.adapters.web import site
from services.kernel.adapters.web.site import Doorway, site_app

Page: TypeAlias = site.Page[Visit]

PAGES = (
    Page("GET", "/", door.home, alone=True),
    Page("GET", "/sign-in", entry.sign_in_page, alone=True),
    Page("POST", "/sign-in", door.begin_sign_in, alone=True),
    Page("GET", "/signed-in", door.end_sign_in, alone=True),
    Page("POST", "/sign-out", door.sign_out),
    Page("GET", "/signed-out", door.signed_out, alone=True),
    Page("POST", "/language", entry.change_language, alone=True),
    Page("GET", "/businesses", entry.businesses),
    Page("POST", "/businesses", entry.choose_business),
    Page("GET", "/notices", reading.notices),
    Page("GET", "/notices/{notice_id}", reading.notice),
    Page("GET", "/notices/{notice_id}/print", reading.print_view),
    Page("GET", "/notices/{notice_id}/answer", answering.form),
    Page("POST", "/notices/{notice_id}/answer", answering.answer),
    Page("GET", "/notices/{notice_id}/answers/{evidence_id}", answering.receipt),
    Page("GET", "/notices/{notice_id}/files/{upload_id}", reading.file),
)
"""Every page there is."""


def inbox_app(inbox: Inbox) -> ASGIApp:
    """The application of the inbox."""
    return site_app(Doorway(inbox, lambda request: Visit(inbox, request)), PAGES)
