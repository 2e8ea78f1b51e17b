"""What a rehearsal says of a dead letter: what replaying it now would come to."""

from __future__ import annotations

from enum import StrEnum


class Verdict(StrEnum):
    """The worker's own answer, given with its own code, settings and rights in a transaction that was rolled back."""

    SAFE = "safe"
    """It would be done, and something would follow; the effects say what."""

    ALREADY_DONE = "already_done"
    """It, or what it asks for, is done: its key is known, its evidence is settled, its notice was alerted, its event
    was delivered. Replaying only closes the dead letter."""

    EXPIRED = "expired"
    """It would be done and nothing would follow any more: its notice has ended, or the deadline's version is not the
    current one. Or it would be refused only because its time is over, and upstream would be told so."""

    UNSAFE = "unsafe"
    """It would fail again, for the reason given, and be dead again; or it would be refused, and upstream told so."""
