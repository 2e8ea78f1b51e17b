"""A real OpenID provider (oidc-provider-mock) as a process of its own: its pages, codes, tokens and keys.

Standards: OpenID Connect Core 1.0, Discovery 1.0, RP-Initiated Logout 1.0, Dynamic Client Registration (RFC 7591).
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import httpx2
import pytest

from tests.rig.rabbitmq import free_port


@dataclass(frozen=True)
class Client:
    """One that the provider knows, with its secret."""

    client_id: str
    secret: str


class OidcProvider:
    """The provider; it knows only registered clients, and asks each sign-in for a nonce."""

    def __init__(self) -> None:
        self.port = free_port()
        self.issuer = f"http://127.0.0.1:{self.port}"
        self._said = Path(tempfile.mkstemp(prefix="duly-oidc-")[1])
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, seconds: float = 30) -> Self:
        """Start, and wait until it answers."""
        command = [sys.executable, "-m", "oidc_provider_mock", "--port", str(self.port)]
        command += ["--require-registration", "--require-nonce"]
        with self._said.open("wb") as out:
            self._process = subprocess.Popen(
                command,
                env={**os.environ, "PYTHONWARNINGS": "ignore"},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
            )
        deadline = time.monotonic() + seconds
        while not self._answers():
            late = time.monotonic() > deadline
            if late or self._process.poll() is not None:
                raise RuntimeError(f"the OpenID provider did not start: {self._said.read_text()[-2000:]}")
            time.sleep(0.02)
        return self

    def _answers(self) -> bool:
        try:
            return httpx2.get(f"{self.issuer}/.well-known/openid-configuration").status_code == 200
        except httpx2.TransportError:
            return False

    def stop(self) -> None:
        """End it, by its own id."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(10)
            self._process = None

    def client(self, redirect_uri: str, method: str = "client_secret_basic") -> Client:
        """Register a client that may be led back to this address alone."""
        about = {"redirect_uris": [redirect_uri], "token_endpoint_auth_method": method}
        told = httpx2.post(f"{self.issuer}/oauth2/clients", json=about).raise_for_status().json()
        return Client(told["client_id"], told["client_secret"])

    def person(self, subject: str, **claims: Any) -> None:
        """Make a person known, or change what is claimed of them."""
        httpx2.put(f"{self.issuer}/users/{subject}", json=claims).raise_for_status()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._said.unlink()


@pytest.fixture(scope="session")
def oidc_provider() -> Iterator[OidcProvider]:
    """The session's OpenID provider."""
    with OidcProvider() as provider:
        yield provider
