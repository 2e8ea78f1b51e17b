"""Markdown with `((placeholders))`, taken apart once into segments between which values are put.

Markdown is read before any value is known, and values go into text only, so nothing in a value can become markup, a
link, HTML or another placeholder. CommonMark without raw HTML and without images.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache

from markdown_it import MarkdownIt
from markdown_it.token import Token

from services.kernel.domain.template import PLACEHOLDER

# Private-use characters: they pass through Markdown and HTML escaping as they are, and no text may hold them.
_OPEN, _SHUT = "\ue000", "\ue001"
_SLOT = re.compile(f"{_OPEN}([a-z][a-z0-9_]*){_SHUT}")
_RAW_HTML = re.compile(r"<[A-Za-z/!?]")


@dataclass(frozen=True, slots=True)
class Segments:
    """Fixed text with a slot after each piece but the last: `pieces[0] slots[0] pieces[1] slots[1] … pieces[n]`."""

    pieces: tuple[str, ...]
    slots: tuple[str, ...]

    def filled(self, values: dict[str, str]) -> str:
        """Put the values in as they are: whoever calls has escaped them.

        Raises:
            KeyError: a value is missing.
        """
        parts = [self.pieces[0]]
        for slot, piece in zip(self.slots, self.pieces[1:], strict=True):
            parts.append(values[slot])
            parts.append(piece)
        return "".join(parts)


@dataclass(frozen=True, slots=True)
class Prepared:
    """One Markdown text as HTML (a fragment, no surrounding document) and as plain text."""

    html: Segments
    text: Segments


def segments(line: str) -> Segments:
    """Take a plain line (a subject) apart at its placeholders; nothing in it is Markdown."""
    parts = PLACEHOLDER.split(line)
    return Segments(pieces=tuple(parts[::2]), slots=tuple(parts[1::2]))


def prepare_markdown(source: str) -> Prepared:
    """Read Markdown and take its HTML and its plain text apart at the placeholders.

    The source must have no `markdown_faults`.
    """
    reader = _reader()
    tokens = reader.parse(PLACEHOLDER.sub(rf"{_OPEN}\1{_SHUT}", source))
    html: str = reader.renderer.render(tokens, reader.options, {})
    return Prepared(html=_apart(html), text=_apart(plain_text(tokens)))


def markdown_faults(source: str) -> list[str]:
    """List what a text must not have: raw HTML, images, values in code or links, links that are not https."""
    faults = ["a private-use character"] if _OPEN in source or _SHUT in source else []
    if "![" in source:
        faults.append("an image")
    for token in _flat(_reader().parse(source)):
        if token.type == "text" and _RAW_HTML.search(token.content):
            faults.append("raw HTML")
        if token.type in {"code_inline", "code_block", "fence"} and PLACEHOLDER.search(token.content + token.info):
            faults.append("a placeholder in code")
        if token.type == "link_open":
            faults += _link_faults(token)
    return faults


def plain_text(tokens: Sequence[Token]) -> str:
    """Write parsed Markdown as plain text: blank lines between blocks, list marks, links with their address behind."""
    writer = _PlainText()
    for token in tokens:
        writer.take(token)
    return "\n".join(writer.lines).strip("\n") + "\n"


@cache
def _reader() -> MarkdownIt:
    return MarkdownIt("commonmark", {"html": False}).disable("image")


def _flat(tokens: Sequence[Token]) -> Iterator[Token]:
    for token in tokens:
        yield token
        yield from _flat(token.children or ())


def _link_faults(token: Token) -> list[str]:
    target = "".join(str(value) for value in token.attrs.values())
    faults = ["a placeholder in a link"] if "((" in target else []
    return faults if target.startswith("https://") else [*faults, "a link that is not https"]


def _apart(text: str) -> Segments:
    parts = _SLOT.split(text)
    return Segments(pieces=tuple(parts[::2]), slots=tuple(parts[1::2]))


@dataclass(slots=True)
class _PlainText:
    """Lines written so far, and the lists and quotations that the next one stands in."""

    lines: list[str] = field(default_factory=list)
    margins: list[str] = field(default_factory=list)
    counters: list[int | None] = field(default_factory=list)
    mark: str = ""
    tight: bool = False

    def take(self, token: Token) -> None:
        if token.type in {"bullet_list_open", "ordered_list_open"}:
            self.counters.append(int(token.attrs.get("start", 1)) if token.tag == "ol" else None)
        elif token.type in {"bullet_list_close", "ordered_list_close"}:
            self.counters.pop()
            self._gap()
        elif token.type == "list_item_open":
            self._item()
        elif token.type == "blockquote_open":
            self.margins.append("> ")
        elif token.type in {"list_item_close", "blockquote_close"}:
            self.margins.pop()
        elif token.type == "paragraph_open":
            self.tight = token.hidden
        else:
            self._content(token)

    def _item(self) -> None:
        number = self.counters[-1]
        self.mark = "- " if number is None else f"{number}. "
        if number is not None:
            self.counters[-1] = number + 1
        self.margins.append(" " * len(self.mark))

    def _content(self, token: Token) -> None:
        if token.type == "inline":
            self._block(_inline_text(token.children or ()))
        elif token.type in {"code_block", "fence"}:
            self._block(token.content.rstrip("\n"))
        elif token.type == "hr":
            self._block("---")
        elif token.type in {"paragraph_close", "heading_close"} and not self.tight:
            self._gap()

    def _block(self, text: str) -> None:
        for line in text.split("\n"):
            margin = "".join(self.margins)
            if self.mark:
                margin = margin[: len(margin) - len(self.mark)] + self.mark
                self.mark = ""
            self.lines.append((margin + line).rstrip())

    def _gap(self) -> None:
        self.tight = False
        if self.lines and self.lines[-1]:
            self.lines.append("")


def _inline_text(tokens: Sequence[Token]) -> str:
    parts: list[str] = []
    targets: list[str] = []
    for token in tokens:
        if token.type in {"text", "code_inline"}:
            parts.append(token.content)
        elif token.type == "softbreak":
            parts.append(" ")
        elif token.type == "hardbreak":
            parts.append("\n")
        elif token.type == "link_open":
            targets.append(str(token.attrs["href"]))
        elif token.type == "link_close":
            target = targets.pop()
            parts.append("" if parts[-1:] == [target] else f" ({target})")
    return "".join(parts)
