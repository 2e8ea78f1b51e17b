"""The settings of `console`. Times are in seconds.

Without a port the console is off. TLS ends in front of it: `DULY_CONSOLE_URL` then begins with `https://`, and cookies
are bound to that host.
"""

from __future__ import annotations

from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BeforeValidator, Field, SecretStr

from services.kernel.adapters.web.settings import Url, Words
from services.kernel.runtime.settings import Settings


def _zone(name: object) -> ZoneInfo:
    try:
        return name if isinstance(name, ZoneInfo) else ZoneInfo(str(name))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("should be the name of a time zone, such as Europe/London") from None


class ConsoleSettings(Settings):
    """Whose it is, where it listens, what it is called from outside, and how long sessions live.

    `pages` and `sign_ins` are a client's a minute. `zone` is the one that instants are shown in.
    """

    authority: str = Field("Supervision Authority", validation_alias="DULY_AUTHORITY")
    host: str = Field("127.0.0.1", validation_alias="DULY_CONSOLE_HOST")
    port: int | None = Field(None, ge=0, le=65535, validation_alias="DULY_CONSOLE_PORT")
    url: Url = Field("", validation_alias="DULY_CONSOLE_URL")
    proxies: Words = Field((), validation_alias="DULY_CONSOLE_PROXIES")
    hsts: bool = Field(False, validation_alias="DULY_CONSOLE_HSTS")
    idle: float = Field(1800, gt=0, validation_alias="DULY_CONSOLE_IDLE_SECONDS")
    lasts: float = Field(28800, gt=0, validation_alias="DULY_CONSOLE_SESSION_SECONDS")
    pages: float = Field(600, gt=0, validation_alias="DULY_CONSOLE_PAGES_PER_MINUTE")
    sign_ins: float = Field(120, gt=0, validation_alias="DULY_CONSOLE_SIGN_INS_PER_MINUTE")
    zone: Annotated[ZoneInfo, BeforeValidator(_zone)] = Field(
        ZoneInfo("Europe/London"), validation_alias="DULY_CONSOLE_ZONE"
    )

    @property
    def is_secure(self) -> bool:
        """Whether TLS is in front."""
        return self.url.startswith("https://")


class ConsoleOidcSettings(Settings):
    """The OpenID provider of those who work for the authority, and the client that the console is there.

    `claim` lists a person's roles; `a.b` is the member `b` of the claim `a`. `origins` are further origins that its
    sign-in leads the browser through, beside the issuer's own.
    """

    issuer: Url = Field(validation_alias="DULY_CONSOLE_OIDC_ISSUER")
    client_id: str = Field(validation_alias="DULY_CONSOLE_OIDC_CLIENT_ID")
    secret: SecretStr = Field(validation_alias="DULY_CONSOLE_OIDC_CLIENT_SECRET")
    scope: str = Field("openid profile", validation_alias="DULY_CONSOLE_OIDC_SCOPES")
    claim: str = Field("roles", validation_alias="DULY_CONSOLE_OIDC_ROLES_CLAIM")
    origins: Words = Field((), validation_alias="DULY_CONSOLE_OIDC_ORIGINS")
