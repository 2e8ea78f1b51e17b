"""The settings of `responses`."""

from __future__ import annotations

from datetime import timedelta

from pydantic import Field

from services.kernel.runtime.settings import Settings


class ResponsesSettings(Settings):
    """`patience`: seconds of legal time that a fact waits for a notice that is not known yet, before it is refused."""

    patience: float = Field(600.0, ge=0, validation_alias="DULY_UNKNOWN_NOTICE_PATIENCE")

    @property
    def waits(self) -> timedelta:
        """The patience as a duration."""
        return timedelta(seconds=self.patience)
