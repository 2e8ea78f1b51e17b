"""A signed event that says nothing, to try a webhook: `ping.sent.v1`. It is posted once, and nothing is recorded."""

from __future__ import annotations

from pydantic_core import to_json

from services.kernel.ledger import Clock, WebhookClaim
from services.kernel.runtime.decision import SOURCE
from services.webhooks.poster import Answer, Poster, reach_of
from services.webhooks.posting import headers_of
from services.webhooks.settings import WebhookSettings


async def ping(poster: Poster, settings: WebhookSettings, source: str, url: str, event_id: str, clock: Clock) -> Answer:
    """Post a ping to where this upstream is told.

    Raises:
        KeyError: no key signs for it.
    """
    event = {"specversion": "1.0", "id": event_id, "source": SOURCE, "type": "ping.sent.v1", "trial": clock.trial}
    body = to_json({**event, "datacontenttype": "application/json", "data": {}})
    claim = WebhookClaim(0, None, source, url, body, clock.wall, clock.trial)
    reach = reach_of(trial=clock.trial, private=settings.private)
    return await poster.post(url, headers_of(claim, settings.keyring()[source]), body, reach)
