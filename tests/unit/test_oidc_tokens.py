"""Which ID tokens sign somebody in: genuine, fresh, for us, for this sign-in; whatever else a provider says, nobody."""

from __future__ import annotations

import json
import time
from base64 import urlsafe_b64encode
from typing import Any

import httpx2
import pytest
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey

from services.kernel.adapters.web import oidc
from services.kernel.adapters.web.oidc import OidcSignIn
from services.kernel.adapters.web.sign_in import Person, ProviderAway, SignInRefused

ISSUER, BACK = "https://provider.example", "https://inbox.example/signed-in"
KEY, STRANGER = RSAKey.generate_key(2048, {"kid": "a"}), RSAKey.generate_key(2048, {"kid": "a"})
CLIENT = oidc.AsyncOAuth2Client
SHARED = OctKey.import_key(b"x" * 32)
NOW = int(time.time())
GOOD: dict[str, Any] = {
    "iss": ISSUER, "aud": "duly", "sub": "ann", "exp": NOW + 3600, "iat": NOW, "nonce": "n", "businesses": ["B1"],
}  # fmt: skip
DISCOVERED = {
    "issuer": ISSUER, "authorization_endpoint": f"{ISSUER}/go", "token_endpoint": f"{ISSUER}/token",
    "jwks_uri": f"{ISSUER}/keys", "userinfo_endpoint": f"{ISSUER}/me",
}  # fmt: skip


def token(claims: dict[str, Any], key: Any = KEY, alg: str = "RS256") -> str:
    return jwt.encode({"alg": alg, "kid": "a"}, claims, key, algorithms=[alg])


def unsigned(claims: dict[str, Any]) -> str:
    parts = [urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in ({"alg": "none"}, claims)]
    return f"{'.'.join(parts)}."


async def signed_in(
    monkeypatch: pytest.MonkeyPatch, id_token: str, query: dict[str, str] | None = None, **said: Any
) -> Person:
    """Who is signed in at a provider that says this of itself."""
    answers = {
        "/.well-known/openid-configuration": DISCOVERED,
        "/token": {"access_token": "t", "token_type": "Bearer", "id_token": id_token},
        "/keys": {"keys": [KEY.as_dict(private=False)]},
        "/me": {"sub": "ann", "businesses": ["B2"]},
        **{f"/{name}": answer for name, answer in said.items()},
    }
    provider = httpx2.MockTransport(lambda request: httpx2.Response(200, json=answers[request.url.path]))
    monkeypatch.setattr(oidc, "AsyncOAuth2Client", lambda *args, **more: CLIENT(*args, transport=provider, **more))
    return await OidcSignIn(ISSUER, "duly", "secret", "openid", "businesses").end(
        query or {"code": "c", "state": "s"}, "n", "v" * 43, BACK
    )


async def test_a_genuine_token_signs_its_person_in(monkeypatch: pytest.MonkeyPatch) -> None:
    person = await signed_in(monkeypatch, token(GOOD))
    assert (person.person, [business.business_id for business in person.businesses]) == ("ann", ["B1"])
    bare = {name: value for name, value in GOOD.items() if name != "businesses"}
    person = await signed_in(monkeypatch, token({**bare, "aud": ["duly", "other"], "azp": "duly"}))
    assert [business.business_id for business in person.businesses] == ["B2"], "as the provider told when asked"


@pytest.mark.parametrize(
    "id_token",
    [
        token({**GOOD, "nonce": "another sign-in's"}),
        token({name: value for name, value in GOOD.items() if name != "nonce"}),
        token({**GOOD, "aud": "other"}),
        token({**GOOD, "aud": ["duly", "other"]}),
        token({**GOOD, "azp": "other"}),
        token({**GOOD, "iss": "https://evil.example"}),
        token({**GOOD, "exp": NOW - 100}),
        token({**GOOD, "iat": NOW + 1_000}),
        token({**GOOD, "sub": 1}),
        token(GOOD, STRANGER),
        token(GOOD, SHARED, "HS256"),
        unsigned(GOOD),
        "",
    ],
    ids=["nonce", "no nonce", "audience", "audiences", "party", "issuer", "old", "future", "nobody", "another's key",
         "shared key", "unsigned", "none"],
)  # fmt: skip
async def test_no_other_token_signs_anybody_in(monkeypatch: pytest.MonkeyPatch, id_token: str) -> None:
    with pytest.raises(SignInRefused):
        await signed_in(monkeypatch, id_token)


async def test_an_answer_of_another_issuer_is_refused_before_its_code_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SignInRefused, match="wrong_issuer"):
        await signed_in(monkeypatch, token(GOOD), {"code": "c", "iss": "https://evil.example"})


@pytest.mark.parametrize("said", [{"keys": []}, {"keys": ["x"]}, {"me": ["x"]}, {"me": {"sub": "bob"}}, {"token": []}])
async def test_a_provider_that_makes_no_sense_signs_nobody_in(
    monkeypatch: pytest.MonkeyPatch, said: dict[str, Any]
) -> None:
    bare = {name: value for name, value in GOOD.items() if name != "businesses"}
    with pytest.raises((SignInRefused, ProviderAway)):
        await signed_in(monkeypatch, token(bare), **said)
