"""The settings of `deadlines`."""

from __future__ import annotations

from pydantic import Field

from services.kernel.runtime.settings import Settings


class DeadlinesSettings(Settings):
    """`every`: seconds of wall time between looks that found nothing."""

    every: float = Field(1.0, gt=0, validation_alias="DULY_DEADLINES_EVERY")
