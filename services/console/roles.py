"""What may be done in the console, and who may: one table. The sign-in says which roles a person has."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from enum import StrEnum
from types import MappingProxyType


class Role(StrEnum):
    """What a person is to the authority. Nobody has a role by having another."""

    READER = "reader"
    OPERATOR = "operator"
    CASEWORKER = "caseworker"
    DECISION_MAKER = "decision_maker"
    ADMIN = "admin"


class Act(StrEnum):
    """What a page lets somebody do. Its name is what stands in the access record."""

    LOOK = "look"
    """See how things stand: overview, notices with their evidence, holds, sanctions, queues. No words of a notice."""
    READ_WORDS = "read_words"
    """Read the words of a notice as they were served, and what a business answered."""
    READ_MESSAGE = "read_message"
    """Read the body of a dead letter or of raw evidence."""
    NOTE = "note"
    """Write a note beside a dead letter or piece of evidence."""
    REPLAY = "replay"
    """Send dead letters again, one or in batches; try it first; stop a run."""
    DISCARD = "discard"
    """Give dead letters up with a reason, and take that back."""
    MEND = "mend"
    """Propose another text for a dead letter."""
    APPROVE_MEND = "approve_mend"
    """Approve what another person proposed."""
    HURRY = "hurry"
    """Have a pending retry tried at once, or stop it."""
    RELEASE_MAIL = "release_mail"
    """Let mail leave again after a sending brake, and write to a suppressed address again."""
    WEBHOOKS = "webhooks"
    """Say which upstreams are told by webhook."""
    HOLD = "hold"
    """Place a hold."""
    LIFT = "lift"
    """Lift a hold."""
    EXTEND = "extend"
    """Give more time: a later deadline."""
    CLEAR = "clear"
    """Say that a piece of evidence needs no more looking at, or which notice it is about."""
    DECIDE = "decide"
    """Decide that a discretionary sanction shall fire."""
    APPROVE = "approve"
    """Approve what another person decided."""
    DECLINE = "decline"
    """Decide that a proposed sanction shall not fire."""
    RESCIND = "rescind"
    """Take back a sanction whose reversal is demanded."""
    UPHOLD = "uphold"
    """Keep a sanction whose reversal is demanded."""
    BATCH = "batch"
    """Draw a sample from what a brake holds back, and release or reject the batch."""
    STOP = "stop"
    """Stop a kind of sanction, or lower its cap: always the safe side."""
    GO_ON = "go_on"
    """Let a kind of sanction go on, or raise its cap."""
    RETAIN = "retain"
    """Place and lift legal holds on content, set and run the erasure of it."""
    EXPORT_SUBJECT = "export_subject"
    """Export all that is kept about one business."""
    AUDIT = "audit"
    """Read who looked at and did what, in the console and in the inbox."""


_R, _O, _C, _D, _A = Role
_ALL = frozenset(Role)

TABLE: Mapping[Act, frozenset[Role]] = MappingProxyType(
    {
        Act.LOOK: _ALL,
        Act.READ_WORDS: frozenset({_C, _D}),
        Act.READ_MESSAGE: frozenset({_O, _C, _D}),
        Act.NOTE: frozenset({_O, _C, _D}),
        Act.REPLAY: frozenset({_O}),
        Act.DISCARD: frozenset({_O}),
        Act.MEND: frozenset({_O}),
        Act.APPROVE_MEND: frozenset({_O}),
        Act.HURRY: frozenset({_O}),
        Act.RELEASE_MAIL: frozenset({_O}),
        Act.WEBHOOKS: frozenset({_O}),
        Act.HOLD: frozenset({_C}),
        Act.LIFT: frozenset({_C}),
        Act.EXTEND: frozenset({_C}),
        Act.CLEAR: frozenset({_C}),
        Act.DECIDE: frozenset({_D}),
        Act.APPROVE: frozenset({_D}),
        Act.DECLINE: frozenset({_D}),
        Act.RESCIND: frozenset({_D}),
        Act.UPHOLD: frozenset({_D}),
        Act.BATCH: frozenset({_D}),
        Act.STOP: frozenset({_O, _C, _D, _A}),
        Act.GO_ON: frozenset({_D, _A}),
        Act.RETAIN: frozenset({_A}),
        Act.EXPORT_SUBJECT: frozenset({_A}),
        Act.AUDIT: frozenset({_A}),
    }
)
"""Who may do what."""


def may(roles: Collection[str], act: Act) -> bool:
    """Whether somebody of these roles may do this; a role that is not known is nothing."""
    return any(role in TABLE[act] for role in roles)
