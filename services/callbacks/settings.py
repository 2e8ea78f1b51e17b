"""The settings of `callbacks`: which doors are open, who may come, and how much they may bring."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_network
from typing import Annotated

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.serialization import load_der_public_key
from pydantic import BeforeValidator, ConfigDict, Field
from pydantic_settings import NoDecode, SettingsConfigDict

from services.kernel.runtime.settings import Settings, SettingsFault

_KEY_BYTES = 16
_SHORTEST_PASSWORD = 16
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
_TOPIC = re.compile(r"arn:aws[a-z-]*:sns:[a-z0-9-]+:\d{12}:[A-Za-z0-9_.-]{1,256}")


@dataclass(frozen=True, slots=True)
class NamedKey:
    """A key that a provider of ours, known by this name, signs with."""

    name: str
    key: bytes = field(repr=False)


def _each(read: Callable[[str], object], form: str) -> BeforeValidator:
    """Values joined by commas, each read by itself; a fault never shows a value."""

    def split(text: object) -> tuple[object, ...]:
        if isinstance(text, tuple):  # the default
            return text
        return tuple(_read(read, part.strip(), number, form) for number, part in enumerate(str(text).split(","), 1))

    return BeforeValidator(split)


def _read(read: Callable[[str], object], part: str, number: int, form: str) -> object:
    try:
        return read(part)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise ValueError(f"value {number} should be {form}") from None


def _topic(text: str) -> str:
    if not _TOPIC.fullmatch(text):
        raise ValueError
    return text


def _proxy(text: str) -> str:
    ip_network(text)
    return text


def _secret(text: str) -> bytes:
    if len(text) < _KEY_BYTES:
        raise ValueError
    return text.encode()


def _sendgrid_key(text: str) -> EllipticCurvePublicKey:
    try:
        key = load_der_public_key(base64.b64decode(text, validate=True))
    except binascii.Error:
        raise ValueError from None
    if not isinstance(key, EllipticCurvePublicKey) or not isinstance(key.curve, SECP256R1):
        raise TypeError
    return key


def _credentials(text: str) -> bytes:
    user, colon, password = text.partition(":")
    if not user or not colon or len(password) < _SHORTEST_PASSWORD:
        raise ValueError
    return text.encode()


def _named_key(text: str) -> NamedKey:
    name, _, digits = text.partition(":")
    key = bytes.fromhex(digits)
    if not _NAME.fullmatch(name) or len(key) < _KEY_BYTES:
        raise ValueError
    return NamedKey(name, key)


_POSTMARK = f"user:password, the password of {_SHORTEST_PASSWORD} characters or more"
_GENERIC = f"name:hex, the name of a-z, 0-9 and -, the key of {_KEY_BYTES} bytes or more"


class CallbacksSettings(Settings):
    """The doors for reports from outside. Sizes are in bytes, times in seconds.

    A port that is unset is a closed door, 0 any free port. `proxies`: whose `X-Forwarded-For` is believed. Of keys and
    credentials each provider may have several, so that they can be changed without a gap. `tolerance`: how far a signed
    time may lie from the clock. `rate`: calls a second from one address.
    """

    model_config = SettingsConfigDict(**{**Settings.model_config, **ConfigDict(arbitrary_types_allowed=True)})

    host: str = Field("127.0.0.1", validation_alias="DULY_CALLBACK_HOST")
    port: int | None = Field(None, ge=0, le=65535, validation_alias="DULY_CALLBACK_PORT")
    proxies: Annotated[tuple[str, ...], NoDecode, _each(_proxy, "an address or a network, such as 10.0.0.0/8")] = Field(
        (), validation_alias="DULY_CALLBACK_PROXIES"
    )
    most_bytes: int = Field(1 << 20, ge=1024, le=64 << 20, validation_alias="DULY_CALLBACK_MOST_BYTES")
    tolerance: float = Field(300.0, gt=0, le=86_400, validation_alias="DULY_CALLBACK_TOLERANCE")
    rate: float = Field(2_000.0, gt=0, validation_alias="DULY_CALLBACK_RATE")

    ses_topics: Annotated[tuple[str, ...], NoDecode, _each(_topic, "the ARN of an SNS topic")] = Field(
        (), validation_alias="DULY_SES_TOPICS"
    )
    mailgun_keys: Annotated[tuple[bytes, ...], NoDecode, _each(_secret, "a webhook signing key")] = Field(
        (), repr=False, validation_alias="DULY_MAILGUN_KEYS"
    )
    sendgrid_keys: Annotated[
        tuple[EllipticCurvePublicKey, ...], NoDecode, _each(_sendgrid_key, "a verification key, as SendGrid shows it")
    ] = Field((), validation_alias="DULY_SENDGRID_KEYS")
    postmark_credentials: Annotated[tuple[bytes, ...], NoDecode, _each(_credentials, _POSTMARK)] = Field(
        (), repr=False, validation_alias="DULY_POSTMARK_CREDENTIALS"
    )
    generic_keys: Annotated[tuple[NamedKey, ...], NoDecode, _each(_named_key, _GENERIC)] = Field(
        (), repr=False, validation_alias="DULY_CALLBACK_KEYS"
    )

    lmtp_port: int | None = Field(None, ge=0, le=65535, validation_alias="DULY_LMTP_PORT")
    smtp_port: int | None = Field(None, ge=0, le=65535, validation_alias="DULY_BOUNCE_SMTP_PORT")
    mail_most_bytes: int = Field(10 << 20, ge=65_536, le=100 << 20, validation_alias="DULY_MAIL_MOST_BYTES")

    def somebody_may_come(self) -> None:
        """Nothing, if the door for providers is closed or anybody may come to it.

        Raises:
            SettingsFault: it would be open for nobody.
        """
        known = (self.ses_topics, self.mailgun_keys, self.sendgrid_keys, self.postmark_credentials, self.generic_keys)
        if self.port is not None and not any(known):
            todo = "set the topics, keys or credentials of a provider, or leave it unset"
            raise SettingsFault({"DULY_CALLBACK_PORT": f"is set, and nobody may come: {todo}"})

    def keys_by_name(self) -> dict[str, Sequence[bytes]]:
        """The keys of each other provider, in the order in which they were given."""
        names = {each.name for each in self.generic_keys}
        return {name: [each.key for each in self.generic_keys if each.name == name] for name in names}
