"""The setting of the mailbox view."""

from __future__ import annotations

from pydantic import Field

from services.kernel.runtime.settings import Settings


class MailboxViewSettings(Settings):
    """Where it listens on loopback; 0 is any free port."""

    port: int = Field(0, ge=0, le=65535, validation_alias="DULY_MAILBOX_PORT")
