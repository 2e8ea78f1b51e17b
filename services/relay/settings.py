"""The settings of `relay`. Times are in seconds of wall time."""

from __future__ import annotations

from pydantic import Field

from services.kernel.runtime.settings import Settings


class RelaySettings(Settings):
    """How often it looks, and how long it leaves to others what is theirs.

    `every`: between rounds that found nothing. `outbox_grace`: how long a worker may take to publish what it wrote.
    `rescue_grace`: how long a rendered notice may wait for the notifier. `again`: how long after handing something out
    without an answer it is handed out again. `mark_every`: between timed marks.
    `erase_every`: between rounds of erasing content whose time is over.
    """

    every: float = Field(0.5, gt=0, validation_alias="DULY_RELAY_EVERY")
    outbox_grace: float = Field(2.0, ge=0, validation_alias="DULY_OUTBOX_GRACE")
    rescue_grace: float = Field(60.0, gt=0, validation_alias="DULY_RESCUE_GRACE")
    again: float = Field(30.0, gt=0, validation_alias="DULY_HAND_OUT_AGAIN")
    mark_every: float = Field(5.0, gt=0, validation_alias="DULY_MARK_EVERY")
    erase_every: float = Field(3600.0, gt=0, validation_alias="DULY_ERASE_EVERY")
