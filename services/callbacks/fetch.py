"""Fetches what SNS keeps for its subscribers: small documents, no redirects, a few seconds."""

from __future__ import annotations

import httpx2

from services.callbacks.providers.call import Unreachable, forged

_SECONDS = 5.0
_MOST_BYTES = 64 * 1024
_OK, _REDIRECTED, _SERVER = 200, 300, 500


async def fetch(url: str) -> bytes:
    """The document at this address.

    Raises:
        Refused: there is none, it is elsewhere, or it is long.
        Unreachable: nobody answers.
    """
    try:
        async with (
            httpx2.AsyncClient(timeout=_SECONDS, follow_redirects=False) as client,
            client.stream("GET", url) as answer,
        ):
            if answer.status_code >= _SERVER:
                raise Unreachable("what is needed to verify the call is away")
            if not _OK <= answer.status_code < _REDIRECTED:
                raise forged("there is nothing where the message says")
            return await _read(answer)
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        raise Unreachable("what is needed to verify the call cannot be reached") from error


async def _read(answer: httpx2.Response) -> bytes:
    body = bytearray()
    async for chunk in answer.aiter_bytes():
        body += chunk
        if len(body) > _MOST_BYTES:
            raise forged("what is there is too long")
    return bytes(body)
