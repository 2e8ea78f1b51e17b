"""Who calls: an API key or a bearer token, and the source that it speaks for.

Keys are `duly_<id>_<secret>`; the library holds their SHA-256 alone, which suffices as the secret has 256 random bits.
Standards: RFC 6750 (bearer tokens), RFC 9068 (JWT access tokens), RFC 8725 (asymmetric algorithms only).
"""

from __future__ import annotations

import hmac
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256

from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError

from services.intake.keysets import KeySets
from services.intake.problems import NOT_ALLOWED, NOT_AUTHENTICATED, Refusal
from services.intake.settings import TokenSettings
from services.kernel.domain.library import Library, NotInLibrary
from services.kernel.domain.regime import ApiKey, Source

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "Ed25519", "EdDSA")
LEEWAY_SECONDS = 60
_MOST_TOKEN = 8_192
_KEY = re.compile(r"duly_([a-z0-9]{4,32})_[A-Za-z0-9_-]{20,100}", re.ASCII)
_NOBODY = ApiKey("", bytes(32))


@dataclass(frozen=True, slots=True)
class Caller:
    """An authenticated caller. `credential` names the key or the client, without any secret."""

    source: Source
    credential: str


class Callers:
    """Tells who calls by the headers of a request."""

    def __init__(
        self,
        library: Library,
        tokens: TokenSettings | None,
        keys: KeySets | None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._library, self._tokens, self._keysets, self._clock = library, tokens, keys, clock
        sources = library.sources.values()
        self._keys = {key.key_id: (key, source) for source in sources for key in source.api_keys}
        self._clients = {client: source for source in sources for client in source.oauth_clients}

    async def of(self, headers: Mapping[str, str]) -> Caller:
        """The caller.

        Raises:
            Refusal: there is no credential, or it is not believed, or it speaks for no source.
            KeysAway: the token cannot be judged now.
        """
        given = _credential(headers)
        if given.startswith("duly_"):
            return self._by_key(given)
        if self._tokens is None or self._keysets is None:
            raise _unknown("this door takes API keys alone, and this is none")
        return await self._by_token(given, self._tokens, self._keysets)

    def _by_key(self, given: str) -> Caller:
        form = _KEY.fullmatch(given)
        known, source = self._keys.get(form[1], (_NOBODY, None)) if form else (_NOBODY, None)
        matches = hmac.compare_digest(sha256(given.encode()).digest(), known.sha256)
        if source is None or not matches:
            raise _unknown("the API key is not known, or no longer")
        return Caller(source, f"key/{known.key_id}")

    async def _by_token(self, given: str, wanted: TokenSettings, keysets: KeySets) -> Caller:
        if len(given) > _MOST_TOKEN:
            raise _unknown("the token is too long")
        claims = await self._claims(given, keysets)
        registry = jwt.JWTClaimsRegistry(
            now=lambda: int(self._clock()),
            leeway=LEEWAY_SECONDS,
            iss={"essential": True, "value": wanted.issuer},
            aud={"essential": True, "value": wanted.audience},
            exp={"essential": True},
        )
        try:
            registry.validate(claims)
        except (JoseError, ValueError, TypeError) as fault:
            raise _unknown(f"the token does not hold: {getattr(fault, 'error', 'invalid_claim')}") from fault
        return self._speaker(claims, wanted.source_claim)

    async def _claims(self, given: str, keysets: KeySets) -> dict[str, object]:
        try:
            try:
                return jwt.decode(given, await keysets.keys(), algorithms=ALGORITHMS).claims
            except InvalidKeyIdError:  # the issuer may have changed its keys
                return jwt.decode(given, await keysets.newer(), algorithms=ALGORITHMS).claims
        except (JoseError, ValueError, TypeError, KeyError) as fault:
            raise _unknown("the token is not signed by the issuer that this door believes") from fault

    def _speaker(self, claims: Mapping[str, object], claim: str) -> Caller:
        client = next((each for name in ("client_id", "azp") if isinstance(each := claims.get(name), str)), "")
        credential = f"client/{client or claims.get('sub', '')}"
        named = claims.get(claim)
        if isinstance(named, str):
            try:
                return Caller(self._library.source(named), credential)
            except NotInLibrary as missing:
                raise Refusal(NOT_ALLOWED, missing.reason) from missing
        if client in self._clients:
            return Caller(self._clients[client], credential)
        raise Refusal(NOT_ALLOWED, f"the token names no source: neither by the claim {claim!r} nor by its client")


def _credential(headers: Mapping[str, str]) -> str:
    scheme, _, given = headers.get("authorization", "").partition(" ")
    given = given.strip() if scheme.lower() == "bearer" else headers.get("x-api-key", "").strip()
    if not given:
        raise Refusal(NOT_AUTHENTICATED, "no API key and no bearer token came with the request", headers=_challenge(""))
    return given


def _unknown(detail: str) -> Refusal:
    return Refusal(NOT_AUTHENTICATED, detail, headers=_challenge(', error="invalid_token"'))


def _challenge(more: str) -> dict[str, str]:
    return {"www-authenticate": f'Bearer realm="duly"{more}'}
