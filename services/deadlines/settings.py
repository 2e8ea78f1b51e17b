"""The settings of `deadlines`."""

from __future__ import annotations

from pydantic import Field

from services.kernel.runtime.settings import Settings


class DeadlinesSettings(Settings):
    """`every`: seconds of wall time between looks that found nothing.

    `outage`: seconds that the secure inbox must have been down for a deadline that ran out meanwhile to move.
    """

    every: float = Field(1.0, gt=0, validation_alias="DULY_DEADLINES_EVERY")
    outage: float = Field(3600.0, ge=60, validation_alias="DULY_INBOX_OUTAGE")
