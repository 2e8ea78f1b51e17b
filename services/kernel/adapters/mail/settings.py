"""Where mail is handed over, how many at once, and how long each phase may take."""

from __future__ import annotations

import ipaddress
import ssl
from dataclasses import dataclass, field
from enum import StrEnum
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit


class Tls(StrEnum):
    """How the connection is protected; the value is the URL's scheme."""

    NONE = "smtp"
    STARTTLS = "smtp+starttls"
    IMPLICIT = "smtps"


_PORTS = {Tls.NONE: 25, Tls.STARTTLS: 587, Tls.IMPLICIT: 465}
_OPTIONS = {"ca", "helo"}


@dataclass(frozen=True, slots=True)
class SmtpSettings:
    """One mail system. Times are in seconds.

    `ca` is a PEM file of certificates to trust instead of the system's. `helo` is the name given with EHLO; empty means
    the address literal of the local end (RFC 5321 section 4.1.4). `wait` bounds the wait for a free connection and for
    the destination's turn; `connect` the whole opening (TCP, TLS, greeting, EHLO, AUTH); `command` each of MAIL, RCPT,
    DATA and RSET; `data` the span from the first byte of content to the reply after the final dot.
    """

    host: str
    port: int
    tls: Tls = Tls.NONE
    user: str = ""
    password: str = field(default="", repr=False)
    ca: str = ""
    helo: str = ""
    connections: int = 10
    per_destination: int = 5
    mails_per_connection: int = 500
    idle: float = 30.0
    wait: float = 60.0
    connect: float = 30.0
    command: float = 30.0
    data: float = 120.0

    def __post_init__(self) -> None:
        for name in (
            "connections",
            "per_destination",
            "mails_per_connection",
            "idle",
            "wait",
            "connect",
            "command",
            "data",
        ):
            if getattr(self, name) <= 0:
                raise ValueError(f"SMTP setting {name!r} must be greater than nothing, not {getattr(self, name)}")

    @classmethod
    def from_url(
        cls,
        url: str,
        *,
        connections: int = 10,
        per_destination: int = 5,
        mails_per_connection: int = 500,
        idle: float = 30.0,
        wait: float = 60.0,
        connect: float = 30.0,
        command: float = 30.0,
        data: float = 120.0,
    ) -> SmtpSettings:
        """Read `smtp://`, `smtp+starttls://` or `smtps://`, as `scheme://user:password@host:port?ca=FILE&helo=NAME`.

        Raises:
            ValueError: with what is wrong and what to write instead; never with the password.
        """
        tls, parts = _split(url)
        options = _options(parts.query)
        user, password = unquote(parts.username or ""), unquote(parts.password or "")
        host = parts.hostname or ""
        if user and tls is Tls.NONE and not is_loopback(host):
            raise ValueError(f"smtp:// would send the password to {host} in clear: use smtp+starttls:// or smtps://")
        return cls(
            host=host,
            port=parts.port or _PORTS[tls],
            tls=tls,
            user=user,
            password=password,
            ca=options.get("ca", ""),
            helo=options.get("helo", ""),
            connections=connections,
            per_destination=per_destination,
            mails_per_connection=mails_per_connection,
            idle=idle,
            wait=wait,
            connect=connect,
            command=command,
            data=data,
        )

    def longest(self) -> float:
        """The most seconds that one `send()` can take; a lease on an attempt must be longer.

        The wait for a turn; RSET and MAIL on a pooled connection that turns out to be dead; a new connection; MAIL,
        RCPT and DATA; the content with its reply.
        """
        return self.wait + 2 * self.command + self.connect + 3 * self.command + self.data

    def tls_context(self) -> ssl.SSLContext | None:
        """The context that verifies the server's certificate, or None for plain SMTP. Reads the `ca` file.

        Raises:
            ValueError: the `ca` file cannot be read or holds no certificate.
        """
        if self.tls is Tls.NONE:
            return None
        try:
            return ssl.create_default_context(cafile=self.ca or None)
        except (OSError, ssl.SSLError) as error:
            raise ValueError(f"ca={self.ca}: no certificates can be read from this file ({error})") from error

    def __str__(self) -> str:
        """The URL without credentials, fit for a log."""
        return f"{self.tls}://{self.host}:{self.port}"


def is_loopback(host: str) -> bool:
    """Whether the host is this machine itself, told from the name alone (no look-up)."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _split(url: str) -> tuple[Tls, SplitResult]:
    try:
        parts = urlsplit(url)
        _ = parts.port  # a bad port raises only when it is read
    except ValueError:
        raise ValueError("the SMTP URL cannot be read: write scheme://user:password@host:port") from None
    if parts.scheme not in {tls.value for tls in Tls}:
        raise ValueError(f"the SMTP URL must begin with smtp://, smtp+starttls:// or smtps://, not {parts.scheme!r}")
    if not parts.hostname:
        raise ValueError("the SMTP URL names no host: write for example smtp+starttls://mail.example:587")
    return Tls(parts.scheme), parts


def _options(query: str) -> dict[str, str]:
    options = dict(parse_qsl(query))
    if unknown := sorted(options.keys() - _OPTIONS):
        raise ValueError(f"the SMTP URL has unknown options {', '.join(unknown)}: known are ca and helo")
    return options
