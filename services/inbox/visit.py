"""One request to the inbox: who asks, and for which business."""

from __future__ import annotations

from dataclasses import dataclass

from services.inbox.files import Links
from services.inbox.settings import InboxSettings
from services.inbox.showing import reader
from services.inbox.views import Reader, UploadRules
from services.kernel.adapters.web import visits
from services.kernel.adapters.web.limits import RateLimit
from services.kernel.adapters.web.visits import Problem, Site, to
from services.kernel.domain.library import Library
from services.kernel.ledger.inbox import InboxLedger
from services.kernel.ports import Ids
from services.kernel.runtime.door import Travel

__all__ = ["SITE", "Inbox", "Limits", "Problem", "Visit", "to"]

SITE = "inbox"


@dataclass(slots=True)
class Limits(visits.Limits):
    """A person's answers, too."""

    answers: RateLimit

    @classmethod
    def of(cls, settings: InboxSettings) -> Limits:
        """As the settings say; a quarter of an allowance may be used at once."""
        answers = RateLimit(settings.answers / 3600, max(1, settings.answers / 4))
        return cls(visits.a_minute(settings.pages), visits.a_minute(settings.sign_ins), answers)


@dataclass(slots=True)
class Inbox(Site):
    """What the pages of the inbox work with."""

    limits: Limits
    settings: InboxSettings
    ledger: InboxLedger
    library: Library
    ids: Ids
    travel: Travel
    links: Links
    rules: UploadRules


@dataclass(slots=True)
class Visit(visits.Visit):
    """A request to the inbox."""

    site: Inbox

    @property
    def inbox(self) -> Inbox:
        """What the pages work with."""
        return self.site

    def reader(self, business_id: str | None = None) -> Reader:
        """Who looks, for the business that they chose, or for another of theirs."""
        return reader(self.person, business_id or self.person.business_id)

    def shown_to(self) -> Reader | None:
        """See the site."""
        return self.reader() if self.session else None
