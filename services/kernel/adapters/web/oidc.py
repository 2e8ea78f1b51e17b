"""Sign-in at an OpenID provider, as a confidential client with PKCE: code, state, nonce, and a verified ID token.

Standards: OpenID Connect Core 1.0 section 3.1, Discovery 1.0, RP-Initiated Logout 1.0; RFC 6749, 7636 (S256), 9207
(`iss` in the answer). The provider's keys are fetched again when a token names one that is not known.
"""

from __future__ import annotations

import hmac
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import urlencode, urlsplit

import httpx2
from authlib.common.errors import AuthlibBaseError  # type: ignore[import-untyped]
from authlib.integrations.httpx_client import AsyncOAuth2Client  # type: ignore[import-untyped]
from authlib.oauth2.rfc6749.errors import OAuth2Error  # type: ignore[import-untyped]
from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet
from pydantic import BaseModel, ConfigDict, ValidationError

from services.kernel.adapters.web.claims import Claims, PersonOf, claimed, person_of
from services.kernel.adapters.web.sessions import new_secret
from services.kernel.adapters.web.sign_in import Journey, Person, ProviderAway, SignInRefused

_SECONDS = 10.0
_KEPT_SECONDS = 3600.0
_LEEWAY = 60
_ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]


class _Provider(BaseModel):
    """What a provider says of itself, as far as it is needed."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str | None = None
    end_session_endpoint: str | None = None
    authorization_response_iss_parameter_supported: bool = False
    code_challenge_methods_supported: tuple[str, ...] = ()


@dataclass(slots=True)
class OidcSignIn:
    """One provider. `forms`: the origins that sign-in and sign-out lead through; `claim` says what a person may do.

    `person_of` reads it: the businesses that they act for, unless another is given.
    """

    issuer: str
    client_id: str
    secret: str = field(repr=False)
    scope: str
    claim: str
    forms: tuple[str, ...] = ()
    person_of: PersonOf = person_of
    is_trial: bool = False
    _provider: tuple[float, _Provider] | None = None
    _keys: KeySet | None = None

    def __post_init__(self) -> None:
        """The provider's own origin is always among those that forms may lead to."""
        parts = urlsplit(self.issuer)
        self.forms = tuple(dict.fromkeys((f"{parts.scheme}://{parts.netloc}", *self.forms)))

    async def check(self) -> None:
        """See the port: at any time; a provider that is away now may be back when somebody comes."""

    async def people(self) -> Sequence[Person]:
        """See the port."""
        return ()

    async def begin(self, form: Mapping[str, str], back: str) -> Journey:  # noqa: ARG002 -- nothing is asked here
        """See the port."""
        state, nonce, verifier = new_secret(), new_secret(), new_secret()
        async with self._client(back) as client:
            provider = await self._discovered(client)
            url, _ = client.create_authorization_url(
                provider.authorization_endpoint, state=state, nonce=nonce, code_verifier=verifier
            )
        return Journey(url, state, nonce, verifier)

    async def end(self, query: Mapping[str, str], nonce: str, verifier: str, back: str) -> Person:
        """See the port."""
        async with self._client(back) as client:
            provider = await self._discovered(client)
            self._check_answer(query, provider)
            token = await client.fetch_token(provider.token_endpoint, code=query["code"], code_verifier=verifier)
            claims = await self._verified(client, provider, str(token.get("id_token", "")), nonce)
            if claimed(claims, self.claim) is None and provider.userinfo_endpoint:
                claims = {**await self._user_info(client, provider.userinfo_endpoint, claims["sub"]), **claims}
        return self.person_of(claims, self.claim, str(token["id_token"]))

    async def leave(self, id_token: str, back: str) -> str | None:
        """See the port. That the provider is away keeps nobody from signing out here."""
        try:
            async with self._client(back) as client:
                provider = await self._discovered(client)
        except (ProviderAway, SignInRefused):
            return None
        if not provider.end_session_endpoint or not id_token:
            return None
        asked = {"id_token_hint": id_token, "client_id": self.client_id, "post_logout_redirect_uri": back}
        joint = "&" if "?" in provider.end_session_endpoint else "?"
        return f"{provider.end_session_endpoint}{joint}{urlencode(asked)}"

    @asynccontextmanager
    async def _client(self, back: str) -> AsyncIterator[AsyncOAuth2Client]:
        """A client for one dialogue, its faults in our words: what a provider wrote is not passed on."""
        client = AsyncOAuth2Client(
            self.client_id, self.secret, scope=self.scope, redirect_uri=back, code_challenge_method="S256",
            timeout=_SECONDS, follow_redirects=False,
        )  # fmt: skip
        try:
            async with client:
                yield client
        except (httpx2.HTTPError, ValidationError, TypeError, AttributeError) as error:  # makes no sense
            raise ProviderAway(type(error).__name__) from error
        except (AuthlibBaseError, OAuth2Error, JoseError, ValueError, KeyError) as error:
            raise SignInRefused("provider_refused") from error

    def _check_answer(self, query: Mapping[str, str], provider: _Provider) -> None:
        if "error" in query:
            raise SignInRefused("access_denied" if query["error"] == "access_denied" else "provider_refused")
        if not query.get("code"):
            raise SignInRefused("no_code")
        names_itself = "iss" in query or provider.authorization_response_iss_parameter_supported
        if names_itself and query.get("iss") != provider.issuer:
            raise SignInRefused("wrong_issuer")

    async def _discovered(self, client: AsyncOAuth2Client) -> _Provider:
        if self._provider and self._provider[0] > time.monotonic():
            return self._provider[1]
        url = f"{self.issuer.rstrip('/')}/.well-known/openid-configuration"
        provider = _Provider.model_validate((await _get(client, url)).json())
        if provider.issuer.rstrip("/") != self.issuer.rstrip("/"):
            raise ProviderAway("the provider gives another issuer than DULY_OIDC_ISSUER")
        self._provider = (time.monotonic() + _KEPT_SECONDS, provider)
        self._keys = None
        return provider

    async def _verified(self, client: AsyncOAuth2Client, provider: _Provider, token: str, nonce: str) -> Claims:
        """The claims of an ID token that is genuine, fresh, for us and for this sign-in."""
        claims = await self._decoded(client, provider, token)
        registry = jwt.JWTClaimsRegistry(
            leeway=_LEEWAY,
            iss={"essential": True, "value": provider.issuer},
            aud={"essential": True, "value": self.client_id},
            sub={"essential": True},
            exp={"essential": True},
            iat={"essential": True},
            nonce={"essential": True},
        )
        registry.validate(claims)
        if not hmac.compare_digest(str(claims["nonce"]).encode(), nonce.encode()):
            raise SignInRefused("wrong_nonce")
        several = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
        if (several or "azp" in claims) and claims.get("azp") != self.client_id:
            raise SignInRefused("wrong_party")
        return claims

    async def _decoded(self, client: AsyncOAuth2Client, provider: _Provider, token: str) -> Claims:
        if self._keys is not None:
            try:
                return jwt.decode(token, self._keys, algorithms=_ALGORITHMS).claims
            except InvalidKeyIdError:
                pass  # the provider has new keys
        self._keys = KeySet.import_key_set((await _get(client, provider.jwks_uri)).json())
        return jwt.decode(token, self._keys, algorithms=_ALGORITHMS).claims

    async def _user_info(self, client: AsyncOAuth2Client, url: str, subject: object) -> Claims:
        answer = await client.get(url)
        answer.raise_for_status()
        claims: Claims = answer.json()
        if claims.get("sub") != subject:
            raise SignInRefused("wrong_subject")
        return claims


async def _get(client: AsyncOAuth2Client, url: str) -> httpx2.Response:
    answer: httpx2.Response = await client.get(url, auth=None)
    answer.raise_for_status()
    return answer
