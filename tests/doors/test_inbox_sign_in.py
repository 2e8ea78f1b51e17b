"""Signing in to the secure inbox, at a real OpenID provider and by a click in a trial: who gets in, and who not."""

from __future__ import annotations

from collections.abc import AsyncIterator
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest

from services.kernel.adapters.ids import SystemIds
from services.kernel.adapters.postgres.inbox import PostgresInbox
from services.kernel.adapters.postgres.ledger import PostgresLedger
from services.kernel.adapters.web.oidc import OidcSignIn
from services.kernel.adapters.web.trial_sign_in import TrialSignIn
from services.kernel.runtime.fault import Fault
from tests.handlers.bench import Bench
from tests.rig.inbox import Opened, Reader, opened
from tests.rig.oidc import OidcProvider
from tests.rig.rabbitmq import free_port

REFUSALS = "SELECT detail FROM access_record WHERE act = 'sign_in' AND NOT allowed"


@pytest.fixture
async def inbox(bench: Bench, oidc_provider: OidcProvider) -> AsyncIterator[Opened]:
    port = free_port()
    client = oidc_provider.client(f"http://127.0.0.1:{port}/signed-in")
    way = OidcSignIn(oidc_provider.issuer, client.client_id, client.secret, "openid profile", "businesses")
    async with opened(bench, way, port=port) as inbox:
        yield inbox


async def at_the_provider(reader: Reader, subject: str) -> str:
    """Sign in at the provider; the address to which it leads back, as a path of ours."""
    await reader.get("/sign-in")
    begun = await reader.post("/sign-in")
    assert begun.status_code == 303, begun.text
    async with httpx2.AsyncClient() as browser:
        answer = await browser.post(begun.headers["location"], data={"sub": subject})
    back = urlsplit(answer.headers["location"])
    return f"{back.path}?{back.query}"


async def test_a_person_signs_in_at_the_provider_and_comes_to_the_page_they_asked_for(
    inbox: Opened, oidc_provider: OidcProvider
) -> None:
    oidc_provider.person("ann", name="Ann Price", businesses=["B-one", {"id": "B-two", "name": "Two & Co"}])
    notice_id = await inbox.fee("one")
    reader = inbox.reader()
    assert (await reader.get(f"/notices/{notice_id}")).headers["location"] == "/sign-in"
    answer = await reader.get(await at_the_provider(reader, "ann"))
    assert answer.headers["location"] == f"/notices/{notice_id}"
    page = await reader.get(f"/notices/{notice_id}")
    assert "Ann Price" in page.text
    assert (await reader.get("/notices")).headers["location"] == "/businesses"
    assert "Two &amp; Co" in (await reader.get("/businesses")).text
    fact = await inbox.bench.value("SELECT data FROM notice_event WHERE kind = 'content.viewed'")
    assert '"by":"ann"' in fact.replace(" ", "")


async def test_the_cookie_is_new_at_each_sign_in_and_its_hash_alone_is_stored(
    inbox: Opened, oidc_provider: OidcProvider
) -> None:
    oidc_provider.person("ann", businesses=["B-one"])
    reader = inbox.reader()
    await reader.get(await at_the_provider(reader, "ann"))
    first = reader.client.cookies["duly-inbox"]
    stored = await inbox.bench.value("SELECT token_hash FROM web_session")
    assert first.encode() not in stored
    reader.client.cookies.delete("duly-inbox")
    await reader.get(await at_the_provider(reader, "ann"))
    assert reader.client.cookies["duly-inbox"] != first


async def test_a_code_from_another_browser_is_refused(inbox: Opened, oidc_provider: OidcProvider) -> None:
    oidc_provider.person("ann", businesses=["B-one"])
    back = await at_the_provider(inbox.reader(), "ann")
    victim = inbox.reader()
    assert (await victim.get(back)).status_code == 403
    assert "duly-inbox" not in victim.client.cookies
    assert await inbox.bench.column(REFUSALS) == ["wrong_state"]


async def test_a_sign_in_ends_once(inbox: Opened, oidc_provider: OidcProvider) -> None:
    oidc_provider.person("ann", businesses=["B-one"])
    reader = inbox.reader()
    back = await at_the_provider(reader, "ann")
    state = reader.client.cookies["duly-sign-in"]
    await reader.get(back)
    again = inbox.reader()
    again.client.cookies.set("duly-sign-in", state)
    assert (await again.get(back)).status_code == 403
    assert await inbox.bench.column(REFUSALS) == ["not_begun"]


async def test_a_forged_code_or_a_refusal_of_the_provider_signs_nobody_in(inbox: Opened) -> None:
    for answer in ("code=forged", "error=access_denied", "error=server_error", ""):
        reader = inbox.reader()
        await reader.get("/sign-in")
        begun = await reader.post("/sign-in")
        state = parse_qs(urlsplit(begun.headers["location"]).query)["state"][0]
        assert (await reader.get(f"/signed-in?state={state}&{answer}")).status_code == 403
    assert await inbox.bench.column(REFUSALS) == ["provider_refused", "access_denied", "provider_refused", "no_code"]
    assert await inbox.bench.value("SELECT count(*) FROM web_session") == 0


async def test_the_request_to_the_provider_has_state_nonce_and_a_challenge(inbox: Opened) -> None:
    reader = inbox.reader()
    asked = parse_qs(urlsplit((await reader.post("/sign-in")).headers["location"]).query)
    assert asked["response_type"] == ["code"]
    assert asked["code_challenge_method"] == ["S256"]
    assert {"state", "nonce", "code_challenge"} <= asked.keys()


async def test_a_person_without_businesses_sees_a_page_that_says_so(inbox: Opened, oidc_provider: OidcProvider) -> None:
    oidc_provider.person("nobody", name="No One")
    reader = inbox.reader()
    await reader.get(await at_the_provider(reader, "nobody"))
    assert (await reader.get("/notices")).headers["location"] == "/businesses"
    assert "No business yet" in (await reader.get("/businesses")).text


async def test_claims_that_cannot_be_used_sign_nobody_in(inbox: Opened, oidc_provider: OidcProvider) -> None:
    unfit = ["B-one", [1], [{"name": "x"}], [["B-one"]], [f"B-{n}" for n in range(300)], ["B\n1"]]
    for claim in unfit:
        oidc_provider.person("odd", businesses=claim)
        reader = inbox.reader()
        assert (await reader.get(await at_the_provider(reader, "odd"))).status_code == 403, claim
    assert await inbox.bench.column(REFUSALS) == [*["unfit_claims"] * 4, "too_many_businesses", "unfit_claims"]


async def test_signing_out_ends_the_session_here_and_leads_to_the_provider(
    inbox: Opened, oidc_provider: OidcProvider
) -> None:
    oidc_provider.person("ann", businesses=["B-one"])
    reader = inbox.reader()
    await reader.get(await at_the_provider(reader, "ann"))
    await reader.get("/notices")
    token = reader.client.cookies["duly-inbox"]
    left = await reader.post("/sign-out")
    assert left.headers["location"].startswith(f"{oidc_provider.issuer}/oauth2/end_session?id_token_hint=")
    reader.client.cookies.set("duly-inbox", token)
    assert (await reader.get("/notices")).headers["location"] == "/sign-in"
    assert await inbox.acts() == ["sign_in", "sign_out"]


async def test_the_provider_may_be_away_and_the_page_says_so(bench: Bench) -> None:
    way = OidcSignIn(f"http://127.0.0.1:{free_port()}", "client", "secret", "openid", "businesses")
    async with opened(bench, way) as inbox:
        answer = await inbox.reader().post("/sign-in")
        assert answer.status_code == 503
        assert answer.headers["retry-after"]


async def test_the_policy_lets_forms_lead_to_the_provider_alone(inbox: Opened, oidc_provider: OidcProvider) -> None:
    policy = (await inbox.reader().get("/sign-in")).headers["content-security-policy"]
    assert f"form-action 'self' {oidc_provider.issuer};" in policy
    assert "script" not in policy


# --- a trial's --------------------------------------------------------------------------------------------------------


async def test_a_trials_sign_in_needs_a_trials_database(database_url: str) -> None:
    ledger = await PostgresLedger.open(database_url, SystemIds(), name="test")
    with pytest.raises(Fault, match="trial"):
        async with opened(Bench(ledger)):
            pass
    await ledger.close()


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "inbox.example"])
async def test_a_trials_sign_in_is_for_this_machine_alone(bench: Bench, host: str) -> None:
    way = TrialSignIn(PostgresInbox(bench.ledger.pool, SystemIds()), host)
    with pytest.raises(Fault, match="this machine"):
        await way.check()
    with pytest.raises(Fault, match="this machine"):
        await way.people()


async def test_a_trials_sign_in_is_refused_at_each_use_once_the_database_is_no_trials(bench: Bench) -> None:
    async with opened(bench) as inbox:
        await inbox.fee("one")
        await bench.ledger.pool.execute(
            "CREATE OR REPLACE FUNCTION is_trial() RETURNS boolean LANGUAGE sql STABLE AS $$ SELECT false $$"
        )
        reader = inbox.reader()
        assert (await reader.get("/sign-in")).status_code == 403
        assert (await reader.post("/sign-in", person="trial:B-one")).status_code == 403
        assert await bench.value("SELECT count(*) FROM web_session") == 0


async def test_nobody_signs_in_as_a_person_whom_the_trial_does_not_have(bench: Bench) -> None:
    async with opened(bench) as inbox:
        await inbox.fee("one")
        reader = inbox.reader()
        assert (await reader.post("/sign-in", person="trial:B-two")).status_code == 403
        assert (await reader.post("/sign-in", person="trial:B-one")).status_code == 303
