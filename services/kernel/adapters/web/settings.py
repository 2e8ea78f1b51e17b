"""Kinds of values in the settings of sites."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator
from pydantic_settings import NoDecode


def _list(text: object) -> object:
    return tuple(part.strip() for part in text.split(",") if part.strip()) if isinstance(text, str) else text


def _url(text: object) -> object:
    if text and not str(text).startswith(("https://", "http://")):
        raise ValueError("should begin with https:// (http:// only where no other machine can reach it)")
    return str(text).rstrip("/")


Words = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_list)]
"""A list, with commas between."""
Url = Annotated[str, BeforeValidator(_url)]
"""An address of HTTP, without a slash at its end."""
