"""Events owed by webhook: what the worker claims, and what is done at the desk."""

from __future__ import annotations

from collections.abc import Sequence

from services.kernel.adapters.postgres.due import Statements
from services.kernel.ledger import WebhookClaim


class WebhookReads(Statements):
    """`services.kernel.ledger.WebhookFacts` on one connection."""

    async def webhook_urls(self, outbox_ids: Sequence[int]) -> dict[int, str]:
        """See the port."""
        return {row["outbox_id"]: row["url"] for row in await self._all("webhook_urls", list(outbox_ids))}

    async def webhook_claim(self, outbox_id: int, lease: float) -> WebhookClaim | None:
        """See the port."""
        rows = await self._all("webhook_claim", outbox_id, lease)
        return WebhookClaim(**dict(rows[0].items())) if rows else None

    async def webhooks_next(self, outbox_id: int, again: float) -> list[int]:
        """See the port."""
        return [row["outbox_id"] for row in await self._all("webhooks_next", outbox_id, again)]
