"""Settings of the HTTP door; without a port there is none, and evidence comes by the queue alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field
from pydantic_settings import NoDecode

from services.kernel.runtime.settings import Settings, SettingsFault

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


def _private_or_tls(url: object) -> object:
    parts = urlsplit(str(url))
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOOPBACK):
        raise ValueError("should begin with https://")
    return url


def _listed(text: object) -> object:
    return tuple(part.strip() for part in text.split(",") if part.strip()) if isinstance(text, str) else text


@dataclass(frozen=True, slots=True)
class TokenSettings:
    """Whose bearer tokens are believed, and for whom they must be."""

    issuer: str
    audience: str
    keys_url: str
    source_claim: str


class IntakeSettings(Settings):
    """Where the door listens, whose bearer tokens it believes, and how much it takes.

    `proxies`: addresses whose `X-Forwarded-For` is believed. `keys_url`: the JWKS of the token issuer. `source_claim`:
    the claim that names the source; without it the token's client is looked up in `sources.yaml`. `rate`: requests a
    second of one key or client, in the long run; `burst`: at once.
    """

    host: str = Field("127.0.0.1", validation_alias="DULY_INTAKE_HOST")
    port: int | None = Field(None, ge=0, le=65535, validation_alias="DULY_INTAKE_PORT")
    proxies: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_listed)] = Field(
        (), validation_alias="DULY_INTAKE_PROXIES"
    )
    issuer: str | None = Field(None, validation_alias="DULY_INTAKE_ISSUER")
    audience: str | None = Field(None, validation_alias="DULY_INTAKE_AUDIENCE")
    keys_url: Annotated[str, BeforeValidator(_private_or_tls)] | None = Field(
        None, validation_alias="DULY_INTAKE_KEYS_URL"
    )
    source_claim: str = Field("duly_source", validation_alias="DULY_INTAKE_SOURCE_CLAIM")
    rate: float = Field(100.0, gt=0, validation_alias="DULY_INTAKE_RATE")
    burst: float = Field(200.0, ge=1, validation_alias="DULY_INTAKE_BURST")
    most_events: int = Field(100, ge=1, le=1_000, validation_alias="DULY_INTAKE_MOST_EVENTS")
    most_bytes: int = Field(1024 * 1024, ge=64 * 1024, le=64 * 1024 * 1024, validation_alias="DULY_INTAKE_MOST_BYTES")

    def tokens(self) -> TokenSettings | None:
        """Whose bearer tokens are believed; None: nobody's, and upstreams come with API keys.

        Raises:
            SettingsFault: only some of the three variables are set.
        """
        given = {"ISSUER": self.issuer, "AUDIENCE": self.audience, "KEYS_URL": self.keys_url}
        missing = [f"DULY_INTAKE_{name}" for name, value in given.items() if not value]
        if len(missing) == len(given):
            return None
        if not (self.issuer and self.audience and self.keys_url):
            raise SettingsFault(dict.fromkeys(missing, "is not set, and bearer tokens need all three"))
        return TokenSettings(self.issuer, self.audience, self.keys_url, self.source_claim)
