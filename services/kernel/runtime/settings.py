"""Settings: one frozen model a concern, read once from the environment in a worker's `__main__`.

Nothing is read at import. A fault names every variable at once, and never shows a value: it may be a secret.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import BeforeValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from services.kernel.runtime.fault import Exit, Fault

Model = TypeVar("Model", bound="Settings")
_KEY_BYTES = 16
_KEY_ID = re.compile(r"[A-Za-z0-9]{1,8}")
_DOMAIN = re.compile(r"(?=.{1,253}\Z)[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63})*\Z")
_MAILBOX = re.compile(r"[^\s@<>,\"\x00-\x1f\x7f]{1,64}@[A-Za-z0-9.-]{1,253}")


class SettingsFault(Fault):
    """Environment variables that are missing or wrong. `faults` maps each to what is wrong with it."""

    def __init__(self, faults: dict[str, str]) -> None:
        told = "; ".join(f"{variable}: {wrong}" for variable, wrong in faults.items())
        super().__init__(told, "environment", "set these, then start again", code=Exit.USAGE)
        self.faults = faults


class Settings(BaseSettings):
    """What every model of settings keeps to: frozen, empty variables count as unset."""

    model_config = SettingsConfigDict(
        frozen=True, extra="ignore", env_ignore_empty=True, hide_input_in_errors=True, case_sensitive=True
    )


def read(model: type[Model]) -> Model:
    """Read one model from the environment.

    Raises:
        SettingsFault: with every variable of the model that is missing or wrong.
    """
    try:
        return model()
    except ValidationError as error:
        faults = {
            str(fault["loc"][0]): _words(fault["type"], fault["msg"]) for fault in error.errors(include_input=False)
        }
    raise SettingsFault(faults)  # outside the handler: pydantic's error keeps the values


def _words(kind: str, message: str) -> str:
    if kind == "missing":
        return "is not set"
    return message.removeprefix("Value error, ").replace("Input should be", "should be")


# --- kinds of values --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TokenKey:
    """A key that signs the VERP tokens of envelope senders; `key_id` travels in the token."""

    key_id: str
    key: bytes = field(repr=False)


def _token_keys(text: object) -> tuple[TokenKey, ...]:
    if not isinstance(text, str):
        raise ValueError("should be text such as k2:HEX,k1:HEX, the current key first")  # noqa: TRY004 -- pydantic's way
    keys = tuple(_token_key(part.strip()) for part in text.split(","))
    if len({key.key_id for key in keys}) != len(keys):
        raise ValueError("names one key id twice")
    return keys


def _token_key(part: str) -> TokenKey:
    key_id, _, digits = part.partition(":")
    if not _KEY_ID.fullmatch(key_id):
        raise ValueError("should be id:hex pairs, joined by commas, an id being 1 to 8 letters or digits")
    try:
        key = bytes.fromhex(digits)
    except ValueError:
        raise ValueError(f"the key {key_id} is not hexadecimal") from None
    if len(key) < _KEY_BYTES:
        raise ValueError(f"the key {key_id} is shorter than {_KEY_BYTES} bytes; `openssl rand -hex 32` makes one")
    return TokenKey(key_id, key)


def _with_scheme(*schemes: str) -> BeforeValidator:
    def check(url: object) -> object:
        if not str(url).startswith(tuple(f"{scheme}://" for scheme in schemes)):
            raise ValueError("should begin with " + " or ".join(f"{scheme}://" for scheme in schemes))
        return url

    return BeforeValidator(check)


def _matches(pattern: re.Pattern[str], words: str) -> BeforeValidator:
    def check(text: object) -> object:
        if not pattern.fullmatch(str(text)):
            raise ValueError(f"should be {words}")
        return text

    return BeforeValidator(check)


# --- the models -------------------------------------------------------------------------------------------------------


class DatabaseSettings(Settings):
    """The database. None: the embedded one."""

    url: Annotated[SecretStr, _with_scheme("postgresql", "postgres")] | None = Field(
        None, validation_alias="DULY_DATABASE_URL"
    )

    @property
    def dsn(self) -> str | None:
        """The DSN with its password: for the driver, for no one else."""
        return self.url.get_secret_value() if self.url else None


class BrokerSettings(Settings):
    """The message broker. None: the embedded one, in this process."""

    url: Annotated[SecretStr, _with_scheme("amqp", "amqps")] | None = Field(None, validation_alias="DULY_BROKER_URL")

    @property
    def address(self) -> str | None:
        """The URL with its password: for the driver, for no one else."""
        return self.url.get_secret_value() if self.url else None


class MailSettings(Settings):
    """The mail system and whom the alerts come from.

    `url` None: the built-in mailbox. Bounces come back to `<token>@bounce_domain`; the token is signed with the first
    key and verified with any.
    """

    url: Annotated[SecretStr, _with_scheme("smtp", "smtp+starttls", "smtps")] | None = Field(
        None, validation_alias="DULY_SMTP_URL"
    )
    sender: Annotated[str, _matches(_MAILBOX, "one plain address, such as notices@example.org")] = Field(
        validation_alias="DULY_MAIL_FROM"
    )
    bounce_domain: Annotated[str, _matches(_DOMAIN, "a domain, such as bounces.example.org")] = Field(
        validation_alias="DULY_BOUNCE_DOMAIN"
    )
    token_keys: Annotated[tuple[TokenKey, ...], NoDecode, BeforeValidator(_token_keys)] = Field(
        validation_alias="DULY_TOKEN_KEYS"
    )

    @property
    def message_domain(self) -> str:
        """The domain of our Message-IDs: the sender's."""
        return self.sender.rpartition("@")[2]

    @property
    def address(self) -> str | None:
        """The URL with its password: for the mailer, for no one else."""
        return self.url.get_secret_value() if self.url else None


class WorkerSettings(Settings):
    """How a worker works. Times are in seconds.

    `prefetch`: unsettled deliveries it may hold. `batch`: items a transaction at most. `linger`: how long a batch waits
    to fill. `grace`: from SIGTERM to the end. `health_port`: None is off, 0 any free port.
    """

    prefetch: int = Field(400, ge=1, le=10_000, validation_alias="DULY_PREFETCH")
    batch: int = Field(200, ge=1, le=5_000, validation_alias="DULY_BATCH")
    linger: float = Field(0.02, ge=0, le=5, validation_alias="DULY_LINGER")
    grace: float = Field(25.0, gt=0, le=600, validation_alias="DULY_GRACE")
    health_host: str = Field("127.0.0.1", validation_alias="DULY_HEALTH_HOST")
    health_port: int | None = Field(None, ge=0, le=65535, validation_alias="DULY_HEALTH_PORT")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", validation_alias="DULY_LOG_LEVEL")


class TracingSettings(Settings):
    """Whether this process is traced. Everything else is said by the standard variables, `OTEL_*`.

    `disabled` is the standard's own word against it. `queue`: spans kept at most while they wait to be sent.
    """

    tracing: Literal["on", "off"] = Field("off", validation_alias="DULY_TRACING")
    disabled: bool = Field(default=False, validation_alias="OTEL_SDK_DISABLED")
    protocol: Literal["http/protobuf"] = Field("http/protobuf", validation_alias="OTEL_EXPORTER_OTLP_PROTOCOL")
    queue: int = Field(20_000, ge=1, validation_alias="OTEL_BSP_MAX_QUEUE_SIZE")

    @property
    def is_on(self) -> bool:
        """Whether spans are made."""
        return self.tracing == "on" and not self.disabled


class LibrarySettings(Settings):
    """The library of regimes, notice types and texts. None: the one that comes with Duly."""

    folder: Path | None = Field(None, validation_alias="DULY_LIBRARY")
