"""Signed envelope senders (VERP): each attempt's bounces come back to an address that names it and cannot be guessed.

The local part is `n-` and a token: lower-case base32 (RFC 4648 section 6, no padding) of the key's id, the 16 bytes of
the attempt's id and 96 bits of HMAC-SHA-256 over both. Nothing is kept: the address is the evidence.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

_PREFIX: Final = "n-"
_ID: Final = 16
_MAC: Final = 12
_LONGEST_KEY_ID: Final = 8  # so that the local part stays within 64 octets (RFC 5321 section 4.5.3.1.1)
_SHORTEST_KEY: Final = 16
_CONTEXT: Final = b"duly verp 1\0"  # the same key in another place yields other codes
_KEY_ID: Final = re.compile(r"[a-z0-9]{1,8}")
_ALPHABET: Final = "abcdefghijklmnopqrstuvwxyz234567"
_TO_DIGITS: Final = str.maketrans(_ALPHABET, "0123456789abcdefghijklmnopqrstuv")
_PAIRS: Final = [first + second for first in _ALPHABET for second in _ALPHABET]
_SHAPE: Final = re.compile(r"[a-z2-7]{47,58}")
_ADDRESS: Final = re.compile(r"n-([a-z2-7]{47,58})(?![a-z2-7])(?:\+[\w.-]*)?(?:@([a-z0-9.-]+))?", re.IGNORECASE)
_SOFT_BREAK: Final = re.compile(r"=\r?\n")  # quoted-printable breaks long lines so (RFC 2045 section 6.7)


@dataclass(frozen=True, slots=True)
class Keyring:
    """The keys that tokens are signed with, by key id (one to eight of a-z and 0-9); `current` signs new ones.

    An old key stays as long as its bounces may come: months.

    Raises:
        ValueError: no current key, a malformed key id, or a key under 16 bytes.
    """

    keys: Mapping[str, bytes] = field(repr=False)
    current: str

    def __post_init__(self) -> None:
        if self.current not in self.keys:
            raise ValueError(f"the current key {self.current!r} is not in the keyring")
        for key_id, key in self.keys.items():
            if not _KEY_ID.fullmatch(key_id):
                raise ValueError(f"key id {key_id!r}: use one to eight of a-z and 0-9")
            if len(key) < _SHORTEST_KEY:
                raise ValueError(f"key {key_id!r} is shorter than {_SHORTEST_KEY} bytes")


def token(attempt_id: UUID, keyring: Keyring) -> str:
    """The token of an attempt, signed with the current key: 47 to 58 characters."""
    named = keyring.current.encode() + attempt_id.bytes
    return _encode(named + _mac(keyring.keys[keyring.current], named))


def envelope_sender(token: str, domain: str) -> str:
    """The address for MAIL FROM: `n-<token>@<domain>`."""
    return f"{_PREFIX}{token}@{domain}"


def is_shaped(local_part: str) -> bool:
    """Whether a local part looks like one of ours; genuine or not is for `read` to say.

    Forgeries look so too, and tokens whose key was dropped too early.
    """
    return "@" not in local_part and _ADDRESS.fullmatch(local_part) is not None


def read(address_or_token: str, keyring: Keyring, domain: str) -> UUID | None:
    """The attempt that an address or a bare token names, or None if it is not genuine.

    Case does not matter; `<…>`, surrounding spaces and a `+ext` are passed over; another domain is not ours.
    """
    local, at, host = address_or_token.strip().strip("<>").strip().lower().partition("@")
    if at and host.removesuffix(".") != domain.lower():
        return None
    return _verified(local.partition("+")[0].removeprefix(_PREFIX), keyring)


def find(blob: str | bytes, keyring: Keyring, domain: str) -> list[UUID]:
    """Every attempt that a genuine token in the text names, in order, each once; for a report's body or headers.

    Finds tokens that quoted-printable has broken over two lines or a forwarder has wrapped in its own address (SRS).
    """
    text = blob.decode("ascii", "replace") if isinstance(blob, bytes) else blob
    texts = (text, _SOFT_BREAK.sub("", text)) if "=\n" in text or "=\r\n" in text else (text,)
    found = (attempt for each in texts for attempt in _found(each, keyring, domain.lower()))
    return list(dict.fromkeys(found))


def _found(text: str, keyring: Keyring, domain: str) -> Iterable[UUID]:
    for match in _ADDRESS.finditer(text):
        host = match[2]
        wrapped = text[max(0, match.start() - len(domain) - 2) : match.start()].lower().endswith(f"={domain}=")
        if host is None or wrapped or host.lower().rstrip(".-") == domain:
            attempt = _verified(match[1].lower(), keyring)
            if attempt is not None:
                yield attempt


def _verified(text: str, keyring: Keyring) -> UUID | None:
    raw = _decode(text)
    if raw is None:
        return None
    named, mac = raw[:-_MAC], raw[-_MAC:]
    key = keyring.keys.get(named[:-_ID].decode("ascii", "replace"))
    if key is None or not hmac.compare_digest(mac, _mac(key, named)):
        return None
    return UUID(bytes=named[-_ID:])


def _mac(key: bytes, named: bytes) -> bytes:
    return hmac.digest(key, _CONTEXT + named, "sha256")[:_MAC]


def _encode(raw: bytes) -> str:
    """Base32 by ten bits at a time: the standard library's takes twice as long."""
    bits = len(raw) * 8
    fill = -bits % 10
    number = int.from_bytes(raw) << fill
    pairs = "".join([_PAIRS[number >> shift & 1023] for shift in range(bits + fill - 10, -1, -10)])
    return pairs[: (bits + 4) // 5]


def _decode(text: str) -> bytes | None:
    """The bytes, or None for what no encoder wrote: each token has one spelling only."""
    if not _SHAPE.fullmatch(text):
        return None
    size, spare = divmod(len(text) * 5, 8)
    number = int(text.translate(_TO_DIGITS), 32)
    if spare > 4 or number & ((1 << spare) - 1):  # noqa: PLR2004 -- five bits and more are a whole character too many
        return None
    return (number >> spare).to_bytes(size)
