"""The settings of `inbox`. Times are in seconds, sizes in bytes.

Without a port the inbox is off. TLS ends in front of it: `DULY_INBOX_URL` then begins with `https://`, and cookies are
bound to that host.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field, SecretStr

from services.kernel.adapters.web.settings import Url, Words
from services.kernel.runtime.settings import Settings

_KEY_BYTES = 32
MIB = 1024 * 1024


def _key(text: object) -> object:
    try:
        long_enough = len(bytes.fromhex(str(text))) >= _KEY_BYTES
    except ValueError:
        raise ValueError("should be hexadecimal; `openssl rand -hex 32` makes one") from None
    if not long_enough:
        raise ValueError(f"should have at least {_KEY_BYTES} bytes; `openssl rand -hex 32` makes one")
    return text


class InboxSettings(Settings):
    """Whose it is, where it listens, what it is called from outside, how long sessions live, how much it takes.

    `files_url` and `files_port` are the second origin, from which files are downloaded; `files_key` signs the links,
    the same in all processes of the inbox. `pages` and `sign_ins` are a client's a minute, `answers` a person's an
    hour.
    """

    authority: str = Field("Supervision Authority", validation_alias="DULY_AUTHORITY")
    host: str = Field("127.0.0.1", validation_alias="DULY_INBOX_HOST")
    port: int | None = Field(None, ge=0, le=65535, validation_alias="DULY_INBOX_PORT")
    url: Url = Field("", validation_alias="DULY_INBOX_URL")
    proxies: Words = Field((), validation_alias="DULY_INBOX_PROXIES")
    hsts: bool = Field(False, validation_alias="DULY_INBOX_HSTS")
    idle: float = Field(1800, gt=0, validation_alias="DULY_INBOX_IDLE_SECONDS")
    lasts: float = Field(43200, gt=0, validation_alias="DULY_INBOX_SESSION_SECONDS")
    file_bytes: int = Field(10 * MIB, ge=1024, le=100 * MIB, validation_alias="DULY_INBOX_FILE_BYTES")
    answer_bytes: int = Field(25 * MIB, ge=1024, le=500 * MIB, validation_alias="DULY_INBOX_ANSWER_BYTES")
    pages: float = Field(600, gt=0, validation_alias="DULY_INBOX_PAGES_PER_MINUTE")
    sign_ins: float = Field(120, gt=0, validation_alias="DULY_INBOX_SIGN_INS_PER_MINUTE")
    answers: float = Field(60, gt=0, validation_alias="DULY_INBOX_ANSWERS_PER_HOUR")
    files_url: Url = Field("", validation_alias="DULY_FILES_URL")
    files_port: int = Field(0, ge=0, le=65535, validation_alias="DULY_FILES_PORT")
    files_key: Annotated[SecretStr, BeforeValidator(_key)] | None = Field(None, validation_alias="DULY_FILES_KEY")

    @property
    def is_secure(self) -> bool:
        """Whether TLS is in front."""
        return self.url.startswith("https://")


class OidcSettings(Settings):
    """The OpenID provider, and the client that the inbox is there. `claim` names the businesses of a person.

    `origins` are further origins that its sign-in leads the browser through, beside the issuer's own.
    """

    issuer: Url = Field(validation_alias="DULY_OIDC_ISSUER")
    client_id: str = Field(validation_alias="DULY_OIDC_CLIENT_ID")
    secret: SecretStr = Field(validation_alias="DULY_OIDC_CLIENT_SECRET")
    scope: str = Field("openid profile", validation_alias="DULY_OIDC_SCOPES")
    claim: str = Field("businesses", validation_alias="DULY_OIDC_BUSINESSES_CLAIM")
    origins: Words = Field((), validation_alias="DULY_OIDC_ORIGINS")
