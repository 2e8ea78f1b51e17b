"""Who calls the intake door: keys by their hash alone, tokens by the issuer's keys alone."""

from __future__ import annotations

import base64
import hmac
import time
from collections.abc import Callable
from typing import Any

import httpx2
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, RSAKey

from services.intake.callers import Callers
from services.intake.keysets import KeysAway, KeySets
from services.intake.problems import Refusal
from services.intake.settings import IntakeSettings, TokenSettings
from services.kernel.runtime.settings import SettingsFault
from tests.rig.intake import KEYS, library

LIBRARY = library()
WANTED = TokenSettings("https://issuer.example/", "duly", "https://issuer.example/jwks", "duly_source")
RSA = RSAKey.generate_key(2048, {"kid": "r1", "use": "sig"})
EC = ECKey.generate_key("P-256", {"kid": "e1"})
OTHER = RSAKey.generate_key(2048, {"kid": "r1"})


class Issuer:
    """A token issuer whose key set is fetched over a transport that counts."""

    def __init__(self, *keys: RSAKey | ECKey) -> None:
        self.keys, self.fetched, self.away = list(keys), 0, False
        self.now = 0.0
        self.keysets = KeySets(WANTED.keys_url, lambda: self.now, httpx2.MockTransport(self._answer))

    def _answer(self, _request: httpx2.Request) -> httpx2.Response:
        self.fetched += 1
        if self.away:
            return httpx2.Response(500)
        return httpx2.Response(200, json={"keys": [key.as_dict(private=False) for key in self.keys]})

    def callers(self) -> Callers:
        return Callers(LIBRARY, WANTED, self.keysets)


def token(key: RSAKey | ECKey | OctKey = RSA, alg: str = "RS256", kid: str | None = "r1", **claims: Any) -> str:
    now = int(time.time())
    all_claims = {"iss": WANTED.issuer, "aud": "duly", "exp": now + 300, "duly_source": "fees", **claims}
    header = {"alg": alg, **({"kid": kid} if kid else {})}
    return jwt.encode(header, {name: value for name, value in all_claims.items() if value is not None}, key, [alg])


def signed_with_text(secret: bytes) -> str:
    """What a forger makes who hopes that the issuer's public key is taken for a shared secret."""
    head, payload, _ = token(OctKey.import_key("x" * 32), "HS256").split(".")
    mac = hmac.digest(secret, f"{head}.{payload}".encode(), "sha256")
    return f"{head}.{payload}.{base64.urlsafe_b64encode(mac).decode().rstrip('=')}"


def bearer(given: str) -> dict[str, str]:
    return {"authorization": f"Bearer {given}"}


async def refused(callers: Callers, given: str) -> Refusal:
    with pytest.raises(Refusal) as caught:
        await callers.of(bearer(given))
    return caught.value


async def test_a_key_is_known_by_its_hash_and_names_its_source_without_its_secret() -> None:
    caller = await Callers(LIBRARY, None, None).of(bearer(KEYS["fees"]))
    assert (caller.source.name, caller.credential) == ("fees", "key/fees")


@pytest.mark.parametrize(
    "given",
    [
        KEYS["fees"][:-1],
        KEYS["fees"] + "f",
        KEYS["fees"].replace("_fees_", "_registry_"),
        KEYS["fees"].upper().replace("DULY_FEES", "duly_fees"),
        "duly_fees_",
        "duly__",
        "duly_" + "x" * 10_000,
        "duly_fees_é" + "f" * 42,
    ],
)
async def test_another_key_is_not_known(given: str) -> None:
    assert (await refused(Callers(LIBRARY, None, None), given)).kind.status == 401


async def test_without_an_issuer_no_token_is_believed() -> None:
    assert (await refused(Callers(LIBRARY, None, None), token())).kind.status == 401


@pytest.mark.parametrize(
    ("key", "alg", "kid"), [(RSA, "RS256", "r1"), (RSA, "PS256", "r1"), (EC, "ES256", "e1")], ids=["rsa", "pss", "ec"]
)
async def test_a_token_of_the_issuer_speaks_for_the_source_that_it_names(key: Any, alg: str, kid: str) -> None:
    caller = await Issuer(RSA, EC).callers().of(bearer(token(key, alg, kid, client_id="cron")))
    assert (caller.source.name, caller.credential) == ("fees", "client/cron")


@pytest.mark.parametrize("claim", ["client_id", "azp"])
async def test_a_token_that_names_no_source_speaks_for_that_of_its_client(claim: str) -> None:
    given = token(duly_source=None, **{claim: "registry-client"})
    assert (await Issuer(RSA).callers().of(bearer(given))).source.name == "registry"


@pytest.mark.parametrize(
    "claims", [{"duly_source": None}, {"duly_source": "nobody"}, {"duly_source": None, "azp": "x"}]
)
async def test_a_token_for_no_source_of_ours_is_forbidden(claims: dict[str, Any]) -> None:
    assert (await refused(Issuer(RSA).callers(), token(**claims))).kind.status == 403


@pytest.mark.parametrize(
    "make",
    [
        lambda: token(OTHER),
        lambda: token(exp=int(time.time()) - 120),
        lambda: token(exp=None),
        lambda: token(exp="soon"),
        lambda: token(nbf=int(time.time()) + 120),
        lambda: token(iss="https://other.example/"),
        lambda: token(iss=None),
        lambda: token(aud="another"),
        lambda: token(aud=None),
        lambda: token()[:-4] + "AAAA",
        lambda: token(OctKey.import_key("x" * 32), "HS256"),
        lambda: signed_with_text(RSA.as_pem(private=False)),
        lambda: "eyJhbGciOiJub25lIn0.eyJkdWx5X3NvdXJjZSI6ImZlZXMifQ.",
        lambda: "a.b.c",
        lambda: "é" * 10,
        lambda: "x" * 10_000,
    ],
    ids=[
        "another's key", "expired", "never expires", "no instant", "not yet", "issuer", "no issuer", "audience",
        "no audience", "altered", "symmetric", "the public key as secret", "unsigned", "nonsense", "no ASCII", "long",
    ],
)  # fmt: skip
async def test_a_token_that_does_not_hold_is_refused(make: Callable[[], str]) -> None:
    refusal = await refused(Issuer(RSA).callers(), make())
    assert refusal.kind.status == 401
    assert 'error="invalid_token"' in refusal.headers["www-authenticate"]


async def test_a_minute_between_the_clocks_is_forgiven() -> None:
    assert await Issuer(RSA).callers().of(bearer(token(exp=int(time.time()) - 30, nbf=int(time.time()) + 30)))


async def test_one_audience_of_several_suffices() -> None:
    assert await Issuer(RSA).callers().of(bearer(token(aud=["other", "duly"])))


async def test_the_key_set_is_fetched_once_and_anew_after_ten_minutes() -> None:
    issuer = Issuer(RSA)
    callers = issuer.callers()
    for _ in range(5):
        await callers.of(bearer(token()))
    assert issuer.fetched == 1
    issuer.now = 601
    await callers.of(bearer(token()))
    assert issuer.fetched == 2


async def test_a_new_key_of_the_issuer_is_fetched_when_first_named_but_not_for_every_invented_one() -> None:
    issuer = Issuer(RSA)
    callers = issuer.callers()
    await callers.of(bearer(token()))
    issuer.keys.append(EC)
    issuer.now = 20
    assert await callers.of(bearer(token(EC, "ES256", "e1")))
    assert issuer.fetched == 2
    for number in range(5):
        await refused(callers, token(OTHER, kid=f"invented-{number}"))
    assert issuer.fetched == 2


async def test_while_the_issuer_is_away_its_known_keys_count_and_without_any_nothing_is_judged() -> None:
    issuer = Issuer(RSA)
    issuer.away = True
    with pytest.raises(KeysAway):
        await issuer.callers().of(bearer(token()))
    issuer.away, issuer.now = False, 20
    await issuer.callers().of(bearer(token()))
    issuer.away, issuer.now = True, 700
    assert await issuer.callers().of(bearer(token()))


def test_tokens_need_issuer_audience_and_keys_together() -> None:
    assert IntakeSettings().tokens() is None
    with pytest.raises(SettingsFault) as caught:
        IntakeSettings(DULY_INTAKE_ISSUER="https://issuer.example/").tokens()
    assert set(caught.value.faults) == {"DULY_INTAKE_AUDIENCE", "DULY_INTAKE_KEYS_URL"}


@pytest.mark.parametrize("url", ["http://issuer.example/jwks", "file:///etc/passwd"])
def test_keys_are_fetched_over_tls_or_from_this_machine(url: str) -> None:
    assert IntakeSettings(DULY_INTAKE_KEYS_URL="http://127.0.0.1:9/jwks").keys_url
    with pytest.raises(ValueError, match="https"):
        IntakeSettings(DULY_INTAKE_KEYS_URL=url)
