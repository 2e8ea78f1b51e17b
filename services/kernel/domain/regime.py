"""Regimes, notice types and sources: the data that policy decides, and the scope that follows from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum

from services.kernel.domain.deadline import Period
from services.kernel.domain.notice import Channel, Origin
from services.kernel.domain.retention import Policy


class Satisfier(StrEnum):
    """What ends a notice when it is received in time."""

    PAYMENT = "payment"
    ANSWER = "answer"
    EVIDENCE = "evidence"
    CONFIRMATION = "confirmation"
    OTHER_FACT = "other_fact"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Regime:
    """One body of rules under which notices are served.

    `country` is ISO 3166-1 alpha-2, `subdivision` the part of ISO 3166-2 after the hyphen, or None; both choose the
    working days. `zone` is the IANA zone of all local dates. `purposes` are what its comms may serve. `service_rule`
    names for each channel a rule of `SERVICE_RULES`; a channel without one is not used. The first of `languages` is
    the default. `safety_delay` runs from the deadline, `objection_window` from the proposal of a sanction,
    `minimum_after_hold` from the lifting of the last hold, `smtp_give_up_after` from the first attempt. `retention`
    None: content is never erased.
    """

    name: str
    zone: str
    country: str
    subdivision: str | None
    purposes: frozenset[str]
    service_rule: Mapping[Channel, str]
    default_period: Period
    safety_delay: timedelta = timedelta(hours=24)
    minimum_after_hold: timedelta = timedelta(days=7)
    objection_window: timedelta = timedelta(hours=24)
    smtp_give_up_after: timedelta = timedelta(hours=72)
    fallback_channel: Channel | None = None
    languages: tuple[str, ...] = ("en",)
    retention: Policy | None = None


@dataclass(frozen=True, slots=True)
class SanctionKind:
    """A sanction by name. An automatic one fires by the gate alone; others also need two named people."""

    name: str
    automatic: bool


@dataclass(frozen=True, slots=True)
class NoticeType:
    """One kind of notice: its purpose, which decides its scope, what satisfies it, and what follows if nothing does.

    `period` and `retention` None mean the regime's own. `sanction` None means that a lapsed notice is closed.
    """

    name: str
    purpose: str
    channels: frozenset[Channel]
    origins: frozenset[Origin]
    satisfied_by: frozenset[Satisfier]
    sanction: str | None
    sanction_automatic: bool
    template: str
    placeholders: frozenset[str] = field(default_factory=frozenset)
    period: Period | None = None
    retention: Policy | None = None

    @property
    def asks_for_nothing(self) -> bool:
        """Whether the notice ends when it is served: no deadline runs."""
        return self.satisfied_by <= {Satisfier.NOTHING}

    @property
    def sanction_kind(self) -> SanctionKind | None:
        """The sanction that follows, or None."""
        return None if self.sanction is None else SanctionKind(self.sanction, self.sanction_automatic)

    def period_under(self, regime: Regime) -> Period:
        """The approved period: the type's own, or the regime's default."""
        return self.period or regime.default_period

    def retention_under(self, regime: Regime) -> Policy | None:
        """How long its content is kept: the type's own policy, or the regime's; None: it is never erased."""
        return self.retention or regime.retention


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key with which a source comes over HTTP: its public id, and the SHA-256 of the whole key; never the key."""

    key_id: str
    sha256: bytes


@dataclass(frozen=True, slots=True)
class Source:
    """An upstream system, known by its broker users, its OAuth clients and its API keys.

    `approvers_may_be_named` says whom it may name as approver of a shorter period: everybody (True), nobody (False), or
    holders of these roles, written `role` or `role:name`. `may_vouch`: it may state when something was received.
    """

    name: str
    amqp_users: frozenset[str]
    regimes: frozenset[str]
    approvers_may_be_named: bool | frozenset[str] = False
    may_vouch: bool = False
    oauth_clients: frozenset[str] = frozenset()
    api_keys: tuple[ApiKey, ...] = ()

    def speaks_as(self, user: str | None) -> bool:
        """Whether a broker user may speak for this source.

        None: the message carries no user id, and the broker's own permissions, or the HTTP door, have decided who may
        send it. `guest` is the broker's user for development, which it admits on loopback only.
        """
        return user is None or user == "guest" or user in self.amqp_users

    def may_name(self, approver: str) -> bool:
        """Whether this source may name this approver."""
        if isinstance(self.approvers_may_be_named, bool):
            return self.approvers_may_be_named
        role, _, _ = approver.partition(":")
        return role in self.approvers_may_be_named


class OutOfScope(Exception):
    """The regime does not allow this notice type, or not by this channel."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def check_scope(regime: Regime, notice_type: NoticeType, channel: Channel) -> None:
    """Refuse what the regime may not send. The purpose is the notice type's, never what a request claims.

    Raises:
        OutOfScope: with the reason that upstream is told.
    """
    if notice_type.purpose not in regime.purposes:
        allowed = ", ".join(sorted(regime.purposes)) or "none"
        raise OutOfScope(
            f"{notice_type.name} serves the purpose {notice_type.purpose}; {regime.name} allows only: {allowed}",
        )
    if channel not in notice_type.channels:
        allowed = ", ".join(sorted(notice_type.channels)) or "none"
        raise OutOfScope(f"{notice_type.name} may not go by {channel}; its channels: {allowed}")
    if channel not in regime.service_rule:
        raise OutOfScope(f"{regime.name} has no service rule for {channel}, so nothing can be served by it")
