"""At least five hundred dead letters of every kind, seeded by making real items fail; see `yard.py`."""

from __future__ import annotations

from services.kernel.adapters.postgres.ledger import PostgresLedger
from tests.rig.dead_letters import alerts, bounces, facts, gates, hooks, requests
from tests.rig.dead_letters.yard import SEED, Yard

STORIES = (
    *gates.STORIES, *requests.STORIES, *alerts.STORIES, *hooks.STORIES, *bounces.STORIES, *facts.STORIES,
)  # fmt: skip
"""In the order in which they happen: gates first, as undecodable evidence keeps sanctions from firing."""

__all__ = ["SEED", "STORIES", "Yard", "seeded"]


async def seeded(ledger: PostgresLedger) -> Yard:
    """Let every story happen; then let time pass, as nobody looks at dead letters at once."""
    yard = Yard(ledger)
    await yard.value("INSERT INTO webhook VALUES ('fees', 'http://127.0.0.1:9/', 'A', now()) RETURNING 1")
    for story in STORIES:
        await yard.tell(story)
    await yard.rest()
    return yard
