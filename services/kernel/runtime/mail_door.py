"""The door for mail that came back: what is stored of a raw mail, before anything else is made of it.

Pure, and never fails on a mail. Standards: RFC 2045-2047, 3464, 5322.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Sequence
from email import message_from_bytes
from email.errors import MessageError
from email.policy import compat32
from itertools import islice
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
    a genuine token names. `addresses` are those in the mail, lower case, 50 at most, the recipients that a report names
    first; addresses at `bounce_domain` and `own_domains` are ours and not among them.
    """
    texts = list(_texts(raw[:_SCANNED]))
    attempts = _attempts(envelope_recipient, texts, keyring, bounce_domain)
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
        notice_id=None,
        source_ref=None,
        attempt_id=next(attempts, None),
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
    written = (address for text in (*recipients, *texts) for address in _written(text))
    return tuple(islice(_others(written, ours), MOST_ADDRESSES))


def _others(addresses: Iterator[str], ours: Collection[str]) -> Iterator[str]:
    seen: set[str] = set()
    for address in addresses:
        if address not in seen and address.rpartition("@")[2] not in ours:
            seen.add(address)
            yield address


def _written(text: str) -> Iterator[str]:
    """What looks like an address; from each @ outwards, so that a long attachment costs little."""
    at = text.find("@")
    while at >= 0:
        local, domain = _LOCAL_PART.search(text, max(0, at - 64), at), _DOMAIN.match(text, at + 1)
        if local and domain:
            yield matching_key(f"{local[0].lstrip(_QUOTE)}@{domain[0]}")
        at = text.find("@", at + 1)
