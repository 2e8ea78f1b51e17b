"""Small forms, and whether a request comes from a page of ours.

Standards: HTML (application/x-www-form-urlencoded), Fetch Metadata (`Sec-Fetch-Site`), RFC 6454 (`Origin`).
"""

from __future__ import annotations

from urllib.parse import parse_qsl

from starlette.requests import Request

from services.kernel.adapters.web.limits import read_body

_MOST_BYTES = 16 * 1024
_MOST_FIELDS = 20
_LONG_FORM = 1024 * 1024
_LONG_FORM_FIELDS = 2_000
_SMALL_FORM = "application/x-www-form-urlencoded"


class FormUnreadable(Exception):
    """The body is no form that we can read."""

    public = True


async def form_of(request: Request) -> dict[str, str]:
    """The fields of a small form; of a field that comes twice, the last.

    Raises:
        FormUnreadable: it is none.
        BodyTooLong: it is not small.
    """
    return dict(await _pairs(request, _MOST_BYTES, _MOST_FIELDS))


async def long_form_of(request: Request) -> dict[str, list[str]]:
    """All values of each field of a form that may be long: a selection, a message. For people who are signed in.

    Raises:
        FormUnreadable: it is none.
        BodyTooLong: it is longer than a megabyte.
    """
    fields: dict[str, list[str]] = {}
    for name, value in await _pairs(request, _LONG_FORM, _LONG_FORM_FIELDS):
        if "\x00" in value:
            raise FormUnreadable("no text has this character")
        fields.setdefault(name, []).append(value)
    return fields


async def _pairs(request: Request, most_bytes: int, most_fields: int) -> list[tuple[str, str]]:
    body = await read_body(request, most_bytes)
    if body and request.headers.get("content-type", "").partition(";")[0].strip().lower() != _SMALL_FORM:
        raise FormUnreadable("not a form")
    try:
        return parse_qsl(body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=most_fields)
    except ValueError:
        raise FormUnreadable("not a form") from None


def comes_from(request: Request, origin: str) -> bool:
    """Whether a page of this origin may have sent it, as far as the browser tells; the form's token decides then."""
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site in {"same-origin", "none"}
    said = request.headers.get("origin")
    return said is None or said in {origin, "null"}  # "null": our pages send no referrer, and so no origin


def safe_path(text: str, longest: int = 200) -> str:
    """A path of this site to go to, or its first page; none of ours is longer, unless it carries a choice."""
    is_ours = text.startswith("/") and not text.startswith(("//", "/\\")) and text.isascii() and text.isprintable()
    return text if is_ours and "\\" not in text and len(text) <= longest else "/"
