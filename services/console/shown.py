"""How things are told in pages: the tone of a state, and where what waits can be looked into."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

_LINES = frozenset("\n\t")


def visible(text: str) -> str:
    """Text from outside as everybody sees the same of it: what is no mark, or turns a line round, as its code."""
    return "".join(mark if mark.isprintable() or mark in _LINES else f"\\u{ord(mark):04x}" for mark in text)


TONES: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "accepted": ("plain", "clock"),
        "rendered": ("plain", "clock"),
        "served": ("plain", "served"),
        "satisfied": ("good", "tick"),
        "lapsed": ("wait", "alert"),
        "closed": ("quiet", "closed"),
        "sanctioned": ("bad", "stop"),
        "unserved": ("wait", "undo"),
        "withdrawn": ("quiet", "undo"),
    }
)
"""The tone of a notice's state, and its drawing."""

PLACES: Mapping[str, str] = MappingProxyType(
    {
        "dead_letters": "/dead-letters",
        "retries": "/dead-letters",
        "evidence_receiving": "/evidence",
        "evidence_waiting": "/evidence",
        "evidence_retrying": "/evidence",
        "evidence_parked": "/evidence",
        "evidence_dead": "/evidence",
        "holds": "/holds",
        "reversals": "/reversals",
        "gate": "/sanctions",
    }
)
"""Where what waits can be looked into, by its name."""

WAITS_ON: Mapping[str, str] = MappingProxyType(
    {
        "erasures": "relay",
        "outbox": "relay",
        "retries": "relay",
        "alerts_sending": "notifier",
        "alerts_due": "notifier",
        "webhooks": "webhooks",
        "evidence_receiving": "inbox",
        "evidence_waiting": "bounces, responses",
        "evidence_retrying": "bounces, responses",
        "gate": "sanctions",
        "deadlines_due": "deadlines",
    }
)
"""Which worker deals with what waits."""

FOR_PEOPLE = frozenset({"dead_letters", "evidence_parked", "evidence_dead", "holds", "reversals"})
"""What waits for a person."""

PATIENCE: Mapping[str, float] = MappingProxyType(
    {
        "outbox": 60, "retries": 3_600, "dead_letters": 0, "alerts_sending": 900, "alerts_due": 300, "webhooks": 900,
        "evidence_receiving": 3_600, "evidence_waiting": 120, "evidence_retrying": 3_600, "evidence_parked": 0,
        "evidence_dead": 0, "holds": 14 * 86_400, "reversals": 0, "deadlines_due": 120,
    }
)  # fmt: skip
"""Seconds that the oldest may wait before somebody should look; what is not here may wait as long as it takes."""
