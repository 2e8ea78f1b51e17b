"""The settings of `notifier`."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from services.kernel.runtime.settings import Settings

ALERTS = Path(__file__).with_name("library") / "alert"


class NotifierSettings(Settings):
    """How alerts are sent. Times are in seconds of wall time.

    `provider`: who sends the mails on and calls back; a header of its own carries the attempt's token. `authority`: the
    name that alerts come from. `connections`: dialogues at once; `per_destination`: of these, to one recipient domain.
    `connect`, `command`, `data`: the longest each phase may take; the lease of an attempt is longer than all of them
    together by `lease_margin`. `ours_pause`: how long sending stops when the mail system refuses us.
    """

    provider: Literal["ses", "mailgun", "sendgrid", "postmark"] | None = Field(
        None, validation_alias="DULY_MAIL_PROVIDER"
    )
    authority: str = Field("Supervision Authority", validation_alias="DULY_AUTHORITY")
    alerts: Path = Field(ALERTS, validation_alias="DULY_ALERTS")
    connections: int = Field(20, ge=1, le=500, validation_alias="DULY_SMTP_CONNECTIONS")
    per_destination: int = Field(5, ge=1, le=500, validation_alias="DULY_SMTP_PER_DESTINATION")
    connect: float = Field(30.0, gt=0, validation_alias="DULY_SMTP_CONNECT_SECONDS")
    command: float = Field(30.0, gt=0, validation_alias="DULY_SMTP_COMMAND_SECONDS")
    data: float = Field(120.0, gt=0, validation_alias="DULY_SMTP_DATA_SECONDS")
    wait: float = Field(60.0, gt=0, validation_alias="DULY_SMTP_WAIT_SECONDS")
    lease_margin: float = Field(30.0, gt=0, validation_alias="DULY_LEASE_MARGIN")
    ours_pause: float = Field(60.0, gt=0, validation_alias="DULY_SENDING_PAUSE")
