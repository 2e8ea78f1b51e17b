"""The door for mail that came back: what is stored of a raw mail, before anything else is made of it.

Pure, and never fails on a mail. Standards: RFC 2045-2047, 3464, 5322, 5890.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from email import message_from_bytes
from email.errors import MessageError
from email.policy import compat32
from itertools import chain, islice
from uuid import UUID

from services.kernel.domain import verp
from services.kernel.domain.addresses import matching_key
from services.kernel.domain.changes import EvidenceStored
from services.kernel.domain.verp import Keyring
from services.kernel.ports import Ids

MOST_ADDRESSES = 50
MAIL = "mail.received"
"""What `raw_evidence.type` says of a mail."""
_SCANNED = 1 << 20
_MOST_PARTS = 50
_SOFT_BREAK = re.compile(r"=\r?\n")
_LOCAL_PART = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}\Z")
_DOMAIN = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?")
_WIDE_DOMAIN = re.compile(r"[A-Za-z0-9.-]{0,252}[\u0080-\U0010ffff][A-Za-z0-9.\u0080-\U0010ffff-]{0,251}")
_LETTERS = re.compile(r"[\w.-]+")
_MESSAGE_ID = re.compile(r"(?<![0-9a-f])([0-9a-f]{32})@([a-z0-9.-]+)", re.IGNORECASE)
_QUOTE = "'"
_RECIPIENT = re.compile(r"^(?:final|original|x-failed)-recipients?:(.{0,1000})", re.IGNORECASE | re.MULTILINE)


def evidence_of_mail(
    raw: bytes,
    envelope_recipient: str | None,
    *,
    door: str,
    keyring: Keyring,
    bounce_domain: str,
    ids: Ids,
    own_domains: Collection[str] = (),
) -> EvidenceStored:
    """One mail as raw evidence for `bounces`.

    `envelope_recipient` is whom the mail system delivered it to, None if that is not known. The attempt is the one that
    a genuine token names, the notice, where none does, the one whose Message-ID is quoted. `addresses` are those in the
    mail, lower case, 50 at most, the recipients that a report names first; addresses at `bounce_domain` and
    `own_domains` are ours and not among them.
    """
    texts = list(_texts(raw[:_SCANNED]))
    attempt = next(_attempts(envelope_recipient, texts, keyring, bounce_domain), None)
    ours = {bounce_domain.lower(), *map(str.lower, own_domains)}
    return EvidenceStored(
        evidence_id=ids.uuid7(),
        door=door,
        source=None,
        event_id=None,
        type=MAIL,
        content_type="message/rfc822",
        headers=json.dumps(_envelope(envelope_recipient)),
        body=raw,
        notice_id=notice_quoted(texts, ours) if attempt is None else None,
        source_ref=None,
        attempt_id=attempt,
        addresses=addresses_of(texts, ours),
        state="waiting",
    )


def _envelope(recipient: str | None) -> dict[str, str]:
    return {"recipient": recipient.replace("\x00", "")} if recipient else {}


def _texts(raw: bytes) -> Iterator[str]:
    """The mail as it came, then every text part that is encoded."""
    whole = raw.decode("latin-1")
    yield _SOFT_BREAK.sub("", whole) if "=\n" in whole or "=\r\n" in whole else whole
    try:
        parts = list(islice(message_from_bytes(raw, policy=compat32).walk(), _MOST_PARTS))
    except (MessageError, ValueError, LookupError, RecursionError, TypeError, AttributeError):
        return
    for part in parts:
        encoding = str(part.get("Content-Transfer-Encoding", "")).strip().lower()
        if not part.is_multipart() and encoding in {"base64", "quoted-printable"}:
            yield _decoded(part.get_payload(decode=True))


def _decoded(payload: object) -> str:
    return payload.decode("latin-1") if isinstance(payload, bytes) else ""


def _attempts(recipient: str | None, texts: list[str], keyring: Keyring, domain: str) -> Iterator[UUID]:
    """The attempts that genuine tokens name: the envelope's first."""
    if recipient is not None and (named := verp.read(recipient, keyring, domain)) is not None:
        yield named
    for text in texts:
        yield from verp.find(text, keyring, domain)


def addresses_of(texts: Sequence[str], ours: Collection[str]) -> tuple[str, ...]:
    """Every address in these texts once, lower case, 50 at most, the recipients that a report names first.

    Those at a domain among `ours` are left out.
    """
    recipients = [line for text in texts for line in _RECIPIENT.findall(text)]
    written = (
        address
        for text in (*recipients, *texts)
        for address in chain(islice(_international(text), MOST_ADDRESSES), _written(text))
    )
    return tuple(islice(_others(written, ours), MOST_ADDRESSES))


def notice_quoted(texts: Sequence[str], ours: Collection[str]) -> UUID | None:
    """The notice whose Message-ID, made by us at one of these domains, stands first in these texts; known or not."""
    for text in texts:
        for local, domain in _MESSAGE_ID.findall(text):
            if domain.lower().rstrip(".-") in ours:
                return UUID(local)
    return None


def _others(addresses: Iterator[str], ours: Collection[str]) -> Iterator[str]:
    seen: set[str] = set()
    for address in addresses:
        if address not in seen and address.rpartition("@")[2] not in ours:
            seen.add(address)
            yield address


def _written(text: str) -> Iterator[str]:
    """What looks like an address, read in ASCII: letters beyond it may be a quotation mark."""
    for local, at in _locals(text):
        if domain := _DOMAIN.match(text, at):
            yield matching_key(f"{local}@{domain[0]}")


def _international(text: str) -> Iterator[str]:
    """Addresses whose domain has letters beyond ASCII, in the form in which ours are kept (punycode)."""
    for local, at in () if text.isascii() else _locals(text):
        if domain := _WIDE_DOMAIN.match(text, at):
            found = matching_key(f"{local}@{_letters(domain[0])}")
            if found.isascii():  # else it is no name that the DNS could have
                yield found


def _locals(text: str) -> Iterator[tuple[str, int]]:
    """The part before each @, and where its domain begins; from the @ outwards: a long attachment costs little."""
    at = text.find("@")
    while at >= 0:
        if local := _LOCAL_PART.search(text, max(0, at - 64), at):
            yield local[0].lstrip(_QUOTE), at + 1
        at = text.find("@", at + 1)


def _letters(domain: str) -> str:
    """The domain without what is no letter behind it. A mail's bytes, read as a character each, are letters again."""
    with suppress(ValueError):
        domain = domain.encode("latin-1").decode()
    found = _LETTERS.match(domain)
    return found[0].rstrip(".-_") if found else ""
