"""The settings of `webhooks`. Times are in seconds of wall time."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, Field
from pydantic_settings import NoDecode

from services.kernel.runtime.settings import Settings

_KEY_LEAST, _KEY_MOST = 24, 64
"""Bytes of a key, as Standard Webhooks asks."""


@dataclass(frozen=True, slots=True)
class WebhookKey:
    """A key that signs what one upstream is told."""

    source: str
    key: bytes = field(repr=False)


def _keys(text: object) -> tuple[WebhookKey, ...]:
    if text == ():
        return ()  # the default
    if not isinstance(text, str):
        raise ValueError("should be text such as fees:HEX,fees:HEX,cases:HEX")  # noqa: TRY004 -- pydantic's way
    return tuple(_key(part.strip()) for part in text.split(",") if part.strip())


def _key(part: str) -> WebhookKey:
    source, _, digits = part.rpartition(":")
    if not source:
        raise ValueError("should be source:hex pairs, joined by commas")
    try:
        key = bytes.fromhex(digits)
    except ValueError:
        raise ValueError(f"a key of {source} is not hexadecimal") from None
    if not _KEY_LEAST <= len(key) <= _KEY_MOST:
        told = f"a key of {source} should have {_KEY_LEAST} to {_KEY_MOST} bytes"
        raise ValueError(f"{told}; `openssl rand -hex 32` makes one")
    return WebhookKey(source, key)


class WebhookSettings(Settings):
    """How upstreams are told by webhook.

    `keys`: all of one source sign, so that a key can be replaced without a gap. `connect`, `whole`: the longest that
    connecting, and a whole post, may take. `per_destination`: posts to one host at a time. `private`: whether hosts of
    this machine and of private networks may be posted to. `authorities`: a PEM file of certificates to trust instead of
    the system's.
    """

    keys: Annotated[tuple[WebhookKey, ...], NoDecode, BeforeValidator(_keys)] = Field(
        (), validation_alias="DULY_WEBHOOK_KEYS"
    )
    connect: float = Field(5.0, gt=0, le=60, validation_alias="DULY_WEBHOOK_CONNECT_SECONDS")
    whole: float = Field(15.0, gt=0, le=300, validation_alias="DULY_WEBHOOK_SECONDS")
    per_destination: int = Field(8, ge=1, le=100, validation_alias="DULY_WEBHOOK_PER_DESTINATION")
    private: bool = Field(False, validation_alias="DULY_WEBHOOK_PRIVATE")
    authorities: Path | None = Field(None, validation_alias="DULY_WEBHOOK_CA")

    def keyring(self) -> dict[str, tuple[bytes, ...]]:
        """The keys of each source, in the order in which they are named."""
        return {source: tuple(self._of(source)) for source in dict.fromkeys(key.source for key in self.keys)}

    def _of(self, source: str) -> Iterable[bytes]:
        return (key.key for key in self.keys if key.source == source)
