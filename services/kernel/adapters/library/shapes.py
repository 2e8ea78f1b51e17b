"""What each file of the library may say. Fields unknown here are faults; nothing is converted by guess."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, Strict, model_validator

from services.kernel.domain.notice import Channel, Origin
from services.kernel.domain.regime import Satisfier
from services.kernel.domain.template import GivenBy, PlaceholderKind

# Enumerations are written as their values; strictness would ask for members.
_Channel = Annotated[Channel, Strict(strict=False)]
_Origin = Annotated[Origin, Strict(strict=False)]
_Satisfier = Annotated[Satisfier, Strict(strict=False)]
_Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,62}$")]
_Text = Annotated[str, Field(min_length=1)]
_Language = Literal["en", "cy"]
_Days = Annotated[int, Field(ge=1, le=3650)]
_Hours = Annotated[int, Field(ge=0, le=8760)]


class _Shape(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class PeriodShape(_Shape):
    """A response period."""

    days: _Days
    unit: Literal["calendar", "working"] = "calendar"
    roll_to_working_day: bool = False


class SanctionShape(_Shape):
    """A kind of sanction: whether the gate alone fires it, and how many it may fire in an hour."""

    automatic: bool
    cap_an_hour: Annotated[int, Field(ge=0)]


class SpanShape(_Shape):
    """A period of calendar years, or of days."""

    years: Annotated[int, Field(ge=1, le=100)] | None = None
    days: _Days | None = None

    @model_validator(mode="after")
    def _one_unit(self) -> Self:
        if (self.years is None) == (self.days is None):
            raise ValueError("give years, or days")
        return self


class RetentionShape(_Shape):
    """How long content is kept after a notice has ended, and after a sanction; `least`: if asked to erase earlier."""

    content: SpanShape
    appeal: SpanShape
    least: SpanShape | None = None
    citation: _Text


class RegimeFile(_Shape):
    """`<regime>/regime.yaml`."""

    zone: str
    country: Annotated[str, Field(pattern=r"^[A-Z]{2}$")]
    subdivision: str | None = None
    languages: Annotated[list[_Language], Field(min_length=1)]
    purposes: Annotated[list[_Name], Field(min_length=1)]
    service_rules: Annotated[dict[_Channel, str], Field(min_length=1)]
    fallback_channel: _Channel | None = None
    default_period: PeriodShape
    safety_delay_hours: _Hours
    minimum_after_hold_days: _Days
    objection_window_hours: _Hours
    smtp_give_up_after_hours: Annotated[int, Field(ge=1, le=720)]
    sanctions: dict[Annotated[str, Field(pattern=r"^[a-z]+(\.[a-z]+)+$")], SanctionShape] = {}
    retention: RetentionShape | None = None


class NoticeTypeFile(_Shape):
    """`<regime>/notice-types/<name>.yaml`."""

    purpose: _Name
    channels: Annotated[list[_Channel], Field(min_length=1)]
    origins: Annotated[list[_Origin], Field(min_length=1)]
    satisfied_by: Annotated[list[_Satisfier], Field(min_length=1)]
    sanction: str | None = None
    template: _Name | None = None
    period: PeriodShape | None = None
    retention: RetentionShape | None = None


class ApiKeyShape(_Shape):
    """A key of an upstream system, as `duly keys make` writes it: the hash alone."""

    id: Annotated[str, Field(pattern=r"^[a-z0-9]{4,32}$")]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class SourceShape(_Shape):
    """One upstream system in `sources.yaml`, and every way by which it may come."""

    amqp_users: list[_Text] = []
    oauth_clients: list[_Text] = []
    api_keys: list[ApiKeyShape] = []
    regimes: Annotated[list[_Name], Field(min_length=1)]
    approver_roles: list[_Name] = []
    may_vouch: bool = False


class SourcesFile(_Shape):
    """`sources.yaml`."""

    sources: Annotated[dict[_Name, SourceShape], Field(min_length=1)]


class PlaceholderShape(_Shape):
    """One value that a text asks for."""

    kind: Annotated[PlaceholderKind, Strict(strict=False)]
    longest: Annotated[int, Field(ge=1, le=2000)]
    given_by: Annotated[GivenBy, Strict(strict=False)] = GivenBy.UPSTREAM


class TextMetaFile(_Shape):
    """`meta.yaml` beside the wordings of one version of a text."""

    subjects: Annotated[dict[str, Annotated[str, Field(min_length=1, max_length=150)]], Field(min_length=1)]
    placeholders: dict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")], PlaceholderShape] = {}
    approved_by: Annotated[str, Field(min_length=1)]
    approved_on: date
