"""The words of a report: decoded, without markup, without the returned message, folded for comparison."""

from __future__ import annotations

import html
import re
import unicodedata
from dataclasses import dataclass
from email.errors import HeaderParseError
from email.header import decode_header

from services.bounces.classify.mime import Part, decode
from services.bounces.classify.phrases import RETURNED_MESSAGE_FOLLOWS, RULED_RETURNED_MESSAGE_FOLLOWS

LONGEST_TEXT = 16 * 1024
LONGEST_HTML = 48 * 1024
MOST_LINES = 400
"""The returned message is introduced within them, if at all."""
MOST_TEXTS = 4

_LINE_TAG = re.compile(r"<(?:br|/?p|/?div|/?tr|/?li|/?h\d|/?table|/?pre)\b[^>]{0,400}>", re.IGNORECASE)
_MAIL_LINK = re.compile(
    r"<a\b[^<>]{0,200}?href=[\"']?mailto:([^\"'<>?\s]{3,200})[^<>]{0,400}>([^<>@]{1,80})</a>", re.IGNORECASE
)
"""A link whose text is a name: the address is seen by no one, and is the one that is looked for."""
_CELL_TAG = re.compile(r"</?t[dh]\b[^>]{0,400}>", re.IGNORECASE)
_UNSEEN = re.compile(r"<(?:(style|script|head|title)\b|!--)", re.IGNORECASE)
# An address in angle brackets is no tag: it is what is looked for.
_TAG = re.compile(r"<(?![^\s<>\"'=]{1,120}@)/?[a-z!?][^<>]{0,2000}>", re.IGNORECASE)
_RULES = "-=_*#> \t.:"
_LONGEST_LINE = 160
_LONGEST_HEADER = 998
_BLANK_LINES = re.compile(r"\n\s*\n")
_MOST_UNSEEN = 20
_RULED = ("--", "==", "__", "**", "- ", "-- ", "->")
_FIRST_HEADER = re.compile(r"^[>\s]{0,4}([A-Z][\w-]{1,40}:[ \t])", re.MULTILINE)
_SOFT_BREAK = re.compile(r"(?<=[\w.@-])=\n(?=[\w.@-])")
_SPACES = re.compile(r"\s+")
_ACCENTED = (range(0xC0, 0x250), range(0x386, 0x3CF), range(0x1E00, 0x1F00))  # Latin, Greek, Welsh and Vietnamese
_UNACCENTED = {code: unicodedata.normalize("NFD", chr(code))[0] for codes in _ACCENTED for code in codes}
_UNACCENTED |= {
    0x2019: "'",
    0x2018: "'",
    0xA0: " ",
    0x131: "i",
    0x142: "l",
    0x141: "l",
    0xF8: "o",
    0xD8: "o",
    0x111: "d",
}
_UNACCENTED |= {0xE6: "ae", 0x153: "oe", 0x130: "i"}


def fold(text: str) -> str:
    """Lower case, no accents, no contractions, every run of white space one space: what phrases are compared with."""
    plain = text if text.isascii() else text.translate(_UNACCENTED)
    return _SPACES.sub(" ", plain).casefold().replace("n't", " not").replace("cannot", "can not")


def header_text(value: str) -> str:
    """A header's value with encoded words (RFC 2047) decoded; as it stands where they are malformed."""
    value = value[:_LONGEST_HEADER]
    if "=?" not in value:
        return value
    try:
        pieces = decode_header(value)
    except (HeaderParseError, ValueError):
        return value
    return "".join(piece if isinstance(piece, str) else decode(piece, name or "utf-8") for piece, name in pieces)


def part_text(part: Part) -> str:
    """The text of one part; HTML becomes lines."""
    text = decode(part.decoded(), part.charset).replace("\r\n", "\n").replace("\r", "\n")
    text = _BLANK_LINES.sub("\n\n", text)
    if "=\n" in text and not part.header("content-transfer-encoding"):
        text = _SOFT_BREAK.sub("", text)  # quoted-printable, but nobody says so
    return _unmarked(text) if part.content_type == "text/html" or text.lstrip()[:14].lower() in _HTML_STARTS else text


_HTML_STARTS = ("<!doctype html", "<html><head><t", "<html>\n<head>\n")


def _unmarked(text: str) -> str:
    lines = _LINE_TAG.sub("\n", _MAIL_LINK.sub(r"\2 <\1>", _seen(text[:LONGEST_HTML])))
    return html.unescape(_TAG.sub("", _CELL_TAG.sub(" ", lines))).replace("\xa0", " ")


def _seen(text: str) -> str:
    """HTML without comments, styles, scripts and head: in one pass, for marks that are never closed."""
    kept: list[str] = []
    start, lower = 0, text.lower()
    while found := _UNSEEN.search(text, start):
        closing = f"</{found.group(1).lower()}" if found.group(1) else "-->"
        end = lower.find(closing, found.end()) if len(kept) < _MOST_UNSEEN else -1
        if end < 0:
            break
        kept.append(text[start : found.start()])
        start = end + len(closing) if closing == "-->" else text.find(">", end) + 1 or len(text)
    return " ".join([*kept, text[start:]])


@dataclass(frozen=True, slots=True)
class Told:
    """The reporter's own words, and the first bytes of the message that it returns, if it does."""

    words: str
    returned: bytes


def told_by(mail: Part) -> Told:
    """What the leading text parts say, up to the returned message: a part of its own, or what is introduced as it."""
    texts: list[str] = []
    leaves = mail.leaves()
    returned = next((leaf for leaf in leaves if leaf.is_returned_message), None)
    for leaf in leaves:
        if leaf is returned or len(texts) >= MOST_TEXTS:
            break
        if leaf.content_type.startswith("text/") and "attachment" not in leaf.header("content-disposition").lower():
            texts.append(part_text(leaf)[:LONGEST_TEXT])
    text = "\n".join(texts)
    start = _returned_start(text)
    words = text[:start][:LONGEST_TEXT]
    if returned:
        return Told(words, returned.decoded()[:LONGEST_TEXT].lstrip(b"\n "))
    first_header = _FIRST_HEADER.search(text, start) if start is not None else None
    return Told(words, text[first_header.start(1) :].encode("utf-8", "replace") if first_header else b"")


def _returned_start(text: str) -> int | None:
    """Where the returned message begins; None where the text has none."""
    start = 0
    for line in text.split("\n", MOST_LINES)[:MOST_LINES]:
        words = line.strip(_RULES).lower() if len(line) <= _LONGEST_LINE else ""
        if words and RETURNED_MESSAGE_FOLLOWS.fullmatch(words):
            return start
        if words and line.lstrip()[:2] in _RULED and RULED_RETURNED_MESSAGE_FOLLOWS.fullmatch(words):
            return start
        start += len(line) + 1
    return None
