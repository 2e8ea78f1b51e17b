"""The certificates that SNS signs with: fetched over TLS from where its messages say, and kept."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from services.callbacks.providers.call import forged

Fetch = Callable[[str], Awaitable[bytes]]
"""A small document by its address; raises `Refused` if there is none, `Unreachable` if nobody answers."""
_MOST = 16


class Certificates:
    """Keys by the address of their certificate; the one not asked for longest is dropped first."""

    def __init__(self, fetch: Fetch) -> None:
        self._fetch = fetch
        self._kept: OrderedDict[str, x509.Certificate] = OrderedDict()
        self._one_by_one = asyncio.Lock()

    async def key(self, url: str, at: float) -> RSAPublicKey:
        """The key of the certificate there, if it is valid at this instant (Unix seconds).

        Raises:
            Refused: there is none, or it is not valid, or its key is not RSA.
            Unreachable: nobody answers.
        """
        if url not in self._kept:
            async with self._one_by_one:
                if url not in self._kept:
                    self._keep(url, _certificate(await self._fetch(url)))
        self._kept.move_to_end(url)
        certificate = self._kept[url]
        key, now = certificate.public_key(), datetime.fromtimestamp(at, UTC)
        if not certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc:
            raise forged("the certificate is not valid now")
        if not isinstance(key, RSAPublicKey):
            raise forged("the certificate's key is not RSA")
        return key

    def _keep(self, url: str, certificate: x509.Certificate) -> None:
        self._kept[url] = certificate
        if len(self._kept) > _MOST:
            self._kept.popitem(last=False)


def _certificate(pem: bytes) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(pem)
    except (ValueError, UnsupportedAlgorithm):
        raise forged("there is no certificate where the message says") from None
