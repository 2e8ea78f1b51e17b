"""The mail settings that a command works with: those of the environment, or those of the embedded default."""

from __future__ import annotations

import os

from services.cli.database import EMBEDDED
from services.kernel.runtime.settings import MailSettings, read

KEYS = EMBEDDED.with_name("keys")
"""Where `duly up` keeps the key that it made."""


def mail_settings() -> MailSettings:
    """The settings; where no mail system is set and `duly up` has run here, with its key and its invented names.

    Raises:
        SettingsFault: with every variable that is missing or wrong.
    """
    if not os.environ.get("DULY_SMTP_URL") and KEYS.exists():
        from services.kernel.adapters.embedded import house  # noqa: PLC0415 -- only where it is used
        from services.kernel.adapters.embedded.keys import kept_key  # noqa: PLC0415 -- only where it is used

        os.environ.setdefault("DULY_TOKEN_KEYS", kept_key(KEYS))
        os.environ.setdefault("DULY_MAIL_FROM", house.MAIL_FROM)
        os.environ.setdefault("DULY_BOUNCE_DOMAIN", house.BOUNCE_DOMAIN)
    return read(MailSettings)
