"""What a dead letter holds up in law, the gravest first.

The database says it of every dead letter (fragment `impact` in `adapters/postgres/sql/dead_letters.sql`); a test
compares the two. It is said of what stands now: a notice that ends makes its dead letters harmless.
"""

from __future__ import annotations

from enum import StrEnum


class Impact(StrEnum):
    """What waits for a dead letter, in the order of gravity."""

    BLOCKS_SANCTION = "blocks_sanction"
    """It carries evidence that is not settled, or is an event about a notice that could not be stored: the gate lets no
    sanction fire that it could concern. Even where the notice has ended: evidence may demand that a sanction which has
    fired be reversed, and it holds those of the same matter. A discarded item's evidence goes on holding."""

    DEADLINE_AT_RISK = "deadline_at_risk"
    """The law's time does not run, or a fixed date comes nearer unheard: a request was not issued, an alert was not
    sent for a notice that is not served yet, or a deadline has passed and the gate has not decided what follows. So it
    is with an item of which nobody can say what it is for."""

    UPSTREAM_WAITS = "upstream_waits"
    """An upstream is owed an event by webhook, and those that follow it about the same notice."""

    HARMLESS = "harmless"
    """Nothing waits for it: it was done or refused before, its evidence is settled, its notice has ended or is served
    already, its event was delivered; or it only named work that the database hands out again by itself."""

    @property
    def gravity(self) -> int:
        """0 is the gravest."""
        return list(Impact).index(self)
