"""The content of a notice, and the hash by which it is known from its rendering to the page that shows it."""

from __future__ import annotations

from hashlib import sha256


def content_hash(subject: str, text: str, html: str) -> bytes:
    """Hash the parts of a content, each led by its length in bytes, so that no two contents hash alike."""
    digest = sha256()
    for part in (subject, text, html):
        raw = part.encode()
        digest.update(len(raw).to_bytes(8, "big"))
        digest.update(raw)
    return digest.digest()
