"""The door for providers over a real socket and a real database: what it stores, and what leaves nothing."""

from __future__ import annotations

import asyncio
import base64
import json
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID, uuid4

import httpx2
import pytest
import pytest_asyncio
from asyncpg import Record
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.messages.hops import BounceReceivedV1
from services.bounces.handler import Bounces
from services.callbacks.__main__ import over_http
from services.callbacks.settings import CallbacksSettings
from services.kernel.adapters.ids import SystemIds
from services.kernel.adapters.parts import Parts
from services.kernel.adapters.postgres.ledger import PostgresLedger
from services.kernel.adapters.web.server import WebWorker
from services.kernel.domain.notice import State
from services.kernel.domain.verp import Keyring, envelope_sender, token
from services.kernel.runtime.batch import run_batch
from services.kernel.runtime.measures import Measures
from services.kernel.runtime.settings import WorkerSettings
from tests.doors.conftest import serving
from tests.handlers.bench import LIBRARY_HERE, hop
from tests.rig import callbacks as rig
from tests.rig.intake import Keeping
from tests.rig.notices import Made, make, notice_of
from tests.rig.postgres import PrivatePostgres

KEY, DOMAIN = "00112233445566778899aabbccddeeff", "bounces.authority.example"
KEYRING = Keyring({"k1": bytes.fromhex(KEY)}, "k1")
OWNER = "owner@business.example"
SNS, SENDGRID = rig.Sns(), rig.Sendgrid()
SETTINGS = {
    "DULY_MAIL_FROM": "notices@authority.example",
    "DULY_BOUNCE_DOMAIN": DOMAIN,
    "DULY_TOKEN_KEYS": f"k1:{KEY}",
    "DULY_SES_TOPICS": rig.TOPIC,
    "DULY_MAILGUN_KEYS": rig.MAILGUN_KEY,
    "DULY_SENDGRID_KEYS": SENDGRID.shown,
    "DULY_POSTMARK_CREDENTIALS": rig.POSTMARK,
    "DULY_CALLBACK_KEYS": f"relay:{rig.GENERIC_KEY.hex()},other:{(b'o' * 32).hex()}",
}
IDS = SystemIds()
pytestmark = pytest.mark.asyncio(loop_scope="module")


@dataclass
class Door:
    """The door, a client before it, and what is behind it; as if nothing had been stored before `since`."""

    client: httpx2.AsyncClient
    ledger: PostgresLedger
    broker: Keeping
    measures: Measures
    since: UUID
    told: int = 0

    async def call(self, provider: str, signed: rig.Signed) -> httpx2.Response:
        body, headers = signed
        return await self.client.post(f"/callbacks/{provider}", content=body, headers=headers)

    async def value(self, query: str, *arguments: Any) -> Any:
        return await self.ledger.pool.fetchval(query, *arguments)

    async def evidence(self) -> list[Record]:
        return await self.ledger.pool.fetch(
            "SELECT * FROM raw_evidence WHERE evidence_id > $1 ORDER BY evidence_id", self.since
        )

    async def batches(self) -> list[Record]:
        return await self.ledger.pool.fetch("SELECT * FROM callback_batch WHERE batch_id > $1", self.since)

    async def hops(self) -> list[Record]:
        return await self.ledger.pool.fetch(
            "SELECT * FROM outbox WHERE outbox_id > $1 AND type = 'bounce.received.v1'", self.told
        )

    async def state(self, made: Made) -> str:
        return str(await self.value("SELECT state FROM notice WHERE notice_id = $1", made.notice_id))

    async def hold(self, made: Made) -> str | None:
        kind = await self.value("SELECT kind FROM hold WHERE notice_id = $1 AND lifted_at IS NULL", made.notice_id)
        return None if kind is None else str(kind)

    def counted(self, door: str, outcome: str) -> float:
        labels = {"door": f"callbacks.{door}", "outcome": outcome}
        return self.measures.registry.get_sample_value("duly_door_calls_total", labels) or 0.0

    async def work(self) -> None:
        """What `bounces` makes of all that waits."""
        bounces = Bounces(IDS, KEYRING, DOMAIN, "authority.example")
        for row in await self.evidence():
            named = BounceReceivedV1(evidence=(row["evidence_id"],))
            await run_batch(self.ledger, bounces, hop("bounce.received.v1", named, "bounces"))


def put_together(ledger: PostgresLedger, broker: Any, measures: Measures) -> WebWorker:
    parts = Parts(ledger, broker, LIBRARY_HERE, IDS, measures, WorkerSettings())
    return over_http(parts, CallbacksSettings(), 0, SNS.fetch)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def open_door(postgres_server: PrivatePostgres, migrated_template: str) -> AsyncIterator[Door]:
    dsn = postgres_server.new_database("callbacks", template=migrated_template)
    ledger, broker, measures = await PostgresLedger.open(dsn, IDS, name="test", most=4), Keeping(), Measures()
    with pytest.MonkeyPatch.context() as patched:
        for name, value in SETTINGS.items():
            patched.setenv(name, value)
        worker = put_together(ledger, broker, measures)
        async with serving(worker) as url, httpx2.AsyncClient(base_url=url) as client:
            yield Door(client, ledger, broker, measures, IDS.uuid7())
    await ledger.close()
    postgres_server.drop_database("callbacks")


@pytest_asyncio.fixture(loop_scope="module")
async def door(open_door: Door) -> Door:
    told = await open_door.value("SELECT coalesce(max(outbox_id), 0) FROM outbox")
    return replace(open_door, since=IDS.uuid7(), told=told)


def sender(attempt: UUID) -> str:
    return envelope_sender(token(attempt, KEYRING), DOMAIN)


def failures(attempt: UUID, address: str = OWNER) -> dict[str, rig.Signed]:
    """A permanent failure of this attempt, as each provider tells it."""
    echo = f"n-{token(attempt, KEYRING)}"
    bounced = {"bounceType": "Permanent", "bounceSubType": "General", "bouncedRecipients": [{"emailAddress": address}]}
    return {
        "ses": SNS.call({"eventType": "Bounce", "bounce": bounced, "mail": {"source": sender(attempt)}}),
        "mailgun": rig.mailgun(
            {"event": "failed", "severity": "permanent", "recipient": address, "user-variables": {"duly": echo}}
        ),
        "sendgrid": SENDGRID.call(
            {"event": "bounce", "type": "bounce", "email": address, "duly": echo, "sg_event_id": secrets.token_hex(9)}
        ),
        "postmark": rig.postmark(
            {
                "RecordType": "Bounce",
                "ID": attempt.int >> 80,
                "Type": "HardBounce",
                "Email": address,
                "Metadata": {"duly": echo},
            }
        ),
        "generic/relay": rig.generic({"id": str(attempt), "kind": "permanent", "recipient": address, "token": echo}),
    }


PROVIDERS = sorted(failures(uuid4()))


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_a_verified_permanent_bounce_unserves_the_notice_that_its_token_names(door: Door, provider: str) -> None:
    made = await make(door.ledger, State.SERVED)
    answer = await door.call(provider, failures(made.attempt_id)[provider])
    assert (answer.status_code, answer.json()) == (200, {"status": "stored"})
    (row,) = await door.evidence()
    assert (row["door"], row["source"], row["type"]) == ("callback", provider, "callback.received")
    assert (row["attempt_id"], row["notice_id"]) == (made.attempt_id, made.notice_id)
    assert OWNER in row["addresses"]
    assert not any(address.endswith((DOMAIN, "authority.example")) for address in row["addresses"])
    assert set(json.loads(row["headers"])) >= {"scheme"}
    await door.work()
    assert await door.state(made) == "unserved"
    last = "SELECT data FROM notice_event WHERE notice_id = $1 ORDER BY seq DESC LIMIT 1"
    fact = json.loads(await door.value(last, made.notice_id))
    assert (fact["matched_by"], fact["door"]) == ("callback", "callback")
    assert [each["state"] for each in await door.evidence()] == ["processed"]


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_a_replayed_call_is_answered_alike_and_stores_nothing(door: Door, provider: str) -> None:
    signed = failures(uuid4())[provider]
    assert (await door.call(provider, signed)).status_code == 200
    before = len(await door.evidence()), len(await door.batches()), len(await door.hops())
    again = await door.call(provider, signed)
    assert (again.status_code, again.json()) == (200, {"status": "known"})
    assert (len(await door.evidence()), len(await door.batches()), len(await door.hops())) == before


async def test_a_token_of_mailgun_with_another_event_changes_nothing(door: Door) -> None:
    made = await make(door.ledger, State.SERVED)
    await door.call("mailgun", rig.mailgun({"event": "delivered"}, token="once"))
    body = json.loads(failures(made.attempt_id)["mailgun"][0])
    again = await door.call("mailgun", rig.mailgun(body["event-data"], token="once"))
    assert again.json() == {"status": "known"}
    await door.work()
    assert await door.state(made) == "served"


def _bad(attempt: UUID) -> dict[str, tuple[str, rig.Signed, int]]:
    """Calls that prove nothing, each with the token of a notice that stands, and the answer that each gets."""
    good = failures(attempt)
    cut = {f"{name} truncated": (name, (body[:-20], headers), 0) for name, (body, headers) in good.items()}
    cut["postmark truncated"] = (*cut["postmark truncated"][:2], 400)
    mail = {"mail": {"source": sender(attempt)}, "eventType": "Bounce", "bounce": {"bounceType": "Permanent"}}
    event = {"event": "failed", "severity": "permanent", "user-variables": {"duly": f"n-{token(attempt, KEYRING)}"}}
    told = {"id": "1", "kind": "permanent", "token": f"n-{token(attempt, KEYRING)}"}
    return {
        **cut,
        "ses forged": ("ses", rig.Sns().call(mail), 403),
        "ses stale": ("ses", SNS.call(mail, ago=4_000), 403),
        "ses, another's topic": ("ses", SNS.call(mail, TopicArn=f"{rig.TOPIC}-of-others"), 403),
        "ses, raw": ("ses", (json.dumps(mail).encode(), {}), 401),
        "mailgun forged": ("mailgun", rig.mailgun(event, key="another-key-altogether"), 403),
        "mailgun stale": ("mailgun", rig.mailgun(event, ago=9 * 3600), 403),
        "mailgun unsigned": ("mailgun", (json.dumps({"event-data": event}).encode(), {}), 401),
        "sendgrid forged": ("sendgrid", rig.Sendgrid().call(event), 403),
        "sendgrid stale": ("sendgrid", SENDGRID.call(event, ago=25 * 3600), 403),
        "sendgrid unsigned": ("sendgrid", (json.dumps([event]).encode(), {}), 401),
        "sendgrid, time of another call": (
            "sendgrid",
            (good["sendgrid"][0], {**good["sendgrid"][1], "x-twilio-email-event-webhook-timestamp": "1"}),
            403,
        ),
        "postmark forged": ("postmark", rig.postmark(event, "postmark:another-password"), 403),
        "postmark unsigned": ("postmark", (json.dumps(event).encode(), {}), 401),
        "generic forged": ("generic/relay", rig.generic(told, key=b"x" * 32), 403),
        "generic stale": ("generic/relay", rig.generic(told, ago=400), 403),
        "generic, another's key": ("generic/other", rig.generic(told), 403),
        "generic, another's name": ("generic/other", rig.generic(told, key=rig.GENERIC_KEY), 403),
        "generic, nobody's name": ("generic/nobody", rig.generic(told), 403),
        "another provider's call": ("sendgrid", good["generic/relay"], 401),
        "nobody's provider": ("nobody", good["generic/relay"], 403),
        "a path": ("../callbacks", good["generic/relay"], 404),
    }


@pytest.mark.parametrize("case", sorted(_bad(uuid4())))
async def test_what_proves_nothing_stores_nothing_and_changes_nothing(door: Door, case: str) -> None:
    made = await make(door.ledger, State.SERVED)
    provider, signed, status = _bad(made.attempt_id)[case]
    answer = await door.call(provider, signed)
    assert answer.status_code in ({status} if status else {401, 403})
    assert (await door.evidence(), await door.batches(), await door.hops()) == ([], [], [])
    assert await notice_of(door.ledger, made.notice_id) == made.notice


async def test_a_stranger_leaves_a_count_and_nothing_else(door: Door) -> None:
    kinds = [("unknown", "stranger"), ("mailgun", "forged"), ("mailgun", "stored")]
    before = [door.counted(*kind) for kind in kinds]
    await door.call("nobody", rig.generic({"id": "1"}))
    await door.call("mailgun", rig.mailgun({}, key="another-key-altogether"))
    await door.call("mailgun", rig.mailgun({"event": "delivered"}))
    assert [door.counted(*kind) - was for kind, was in zip(kinds, before, strict=True)] == [1, 1, 1]


async def test_a_token_that_is_not_genuine_names_nothing(door: Door) -> None:
    forged = token(uuid4(), Keyring({"k1": b"another key of 16"}, "k1"))
    told = {"id": "forged", "kind": "permanent", "token": f"n-{forged}"}
    assert (await door.call("generic/relay", rig.generic(told))).status_code == 200
    await door.work()
    assert [(row["attempt_id"], row["state"]) for row in await door.evidence()] == [(None, "parked")]


async def test_doubt_of_a_provider_holds_and_never_decides(door: Door) -> None:
    made = await make(door.ledger, State.SERVED)
    mail = {"mail": {"source": sender(made.attempt_id)}}
    doubt = {"bounceType": "Transient", "bounceSubType": "General", "bouncedRecipients": [{"emailAddress": OWNER}]}
    await door.call("ses", SNS.call({"notificationType": "Bounce", "bounce": doubt, **mail}))
    await door.work()
    assert (await door.state(made), await door.hold(made)) == ("served", "delivery_doubt")


async def test_a_failure_of_another_address_behind_our_token_holds(door: Door) -> None:
    made = await make(door.ledger, State.SERVED)
    await door.call("mailgun", failures(made.attempt_id, "secretary@elsewhere.example")["mailgun"])
    await door.work()
    assert (await door.state(made), await door.hold(made)) == ("served", "delivery_doubt")


async def test_a_batch_is_kept_whole_beside_its_events_and_each_counts_once(door: Door) -> None:
    events = [{"event": "delivered", "email": OWNER, "sg_event_id": name} for name in ("a", "b", "a")]
    body, headers = SENDGRID.call(*events)
    assert (await door.call("sendgrid", (body, headers))).status_code == 200
    assert [row["event_id"] for row in await door.evidence()] == ["a", "b"]
    (kept,) = await door.batches()
    assert (kept["provider"], kept["body"]) == ("sendgrid", body)
    assert json.loads(kept["headers"])["signature"] == headers["x-twilio-email-event-webhook-signature"]
    assert len(await door.hops()) == 1


async def test_a_genuine_call_that_nobody_can_read_is_kept_for_a_person(door: Door) -> None:
    assert (await door.call("sendgrid", SENDGRID.sign(b'[{"event": "bou'))).status_code == 200
    await door.work()
    assert [(row["body"], row["state"]) for row in await door.evidence()] == [(b'[{"event": "bou', "parked")]


async def test_a_subscription_is_confirmed_and_stores_nothing(door: Door) -> None:
    fetched = len(SNS.fetched)
    assert (await door.call("ses", SNS.confirmation())).status_code == 200
    assert rig.SUBSCRIBE in SNS.fetched[fetched:]
    assert (await door.evidence(), await door.hops()) == ([], [])


async def test_what_was_stored_is_told_to_bounces_and_marked_as_sent(door: Door) -> None:
    broker = Keeping()
    body, headers = rig.mailgun({"event": "delivered"})
    async with (
        serving(put_together(door.ledger, broker, Measures())) as url,
        httpx2.AsyncClient(base_url=url) as client,
    ):
        assert (await client.post("/callbacks/mailgun", content=body, headers=headers)).status_code == 200
    (row,), (told,) = await door.evidence(), broker.sent  # the door has stopped: all that was committed has been told
    assert json.loads(told.body)["data"]["evidence"] == [str(row["evidence_id"])]
    assert [hop["sent_at"] is not None for hop in await door.hops()] == [True]


async def test_while_the_broker_is_away_a_call_is_still_taken_and_stays_to_be_told(door: Door) -> None:
    worker = put_together(door.ledger, Keeping(away=True), Measures())
    body, headers = rig.mailgun({"event": "delivered"})
    async with serving(worker) as url, httpx2.AsyncClient(base_url=url) as client:
        assert (await client.post("/callbacks/mailgun", content=body, headers=headers)).status_code == 200
    assert len(await door.evidence()) == 1
    assert [hop["sent_at"] for hop in await door.hops()] == [None]


async def test_while_the_database_is_away_the_sender_is_asked_to_come_again(door: Door) -> None:
    away = await PostgresLedger.open("postgresql://duly@127.0.0.1:1/duly", IDS, name="test", most=1)
    worker = put_together(away, Keeping(), Measures())
    body, headers = rig.mailgun({"event": "delivered"})
    async with serving(worker) as url, httpx2.AsyncClient(base_url=url) as client:
        answer = await client.post("/callbacks/mailgun", content=body, headers=headers)
    await away.close()
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) > 0
    assert (await door.call("mailgun", (body, headers))).json() == {"status": "stored"}


async def test_a_body_longer_than_the_limit_is_refused_whatever_its_length_claims(door: Door) -> None:
    body = b"x" * (CallbacksSettings().most_bytes + 1)
    assert (await door.client.post("/callbacks/mailgun", content=body)).status_code == 413

    async def chunks() -> AsyncIterator[bytes]:
        yield body[:1000]
        yield body[1000:]

    assert (await door.client.post("/callbacks/mailgun", content=chunks())).status_code == 413
    assert await door.evidence() == []


async def test_who_comes_too_often_is_told_when_to_come_again_before_the_body_is_read(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DULY_CALLBACK_RATE", "0.2")
    worker = put_together(door.ledger, door.broker, door.measures)
    async with serving(worker) as url, httpx2.AsyncClient(base_url=url) as client:
        assert (await client.post("/callbacks/mailgun", content=b"{}")).status_code == 401
        limited = await client.post("/callbacks/mailgun", content=b"{}")
    assert limited.status_code == 429
    assert int(limited.headers["retry-after"]) >= 1
    assert limited.headers["content-type"] == "application/problem+json"


async def test_only_posts_are_taken(door: Door) -> None:
    for method in ("GET", "PUT", "DELETE"):
        assert (await door.client.request(method, "/callbacks/mailgun")).status_code == 405


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=8,
)
events = st.dictionaries(st.sampled_from(["event", "email", "sg_event_id", "duly", "\x00", "ID", "id"]), json_values)


async def test_nothing_that_a_genuine_sender_says_breaks_the_door(door: Door) -> None:
    loop = asyncio.get_running_loop()

    @settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.lists(events, max_size=4), st.sampled_from(["sendgrid", "postmark", "mailgun", "ses", "generic/relay"]))
    def say(told: list[dict[str, Any]], provider: str) -> None:
        one = told[0] if told else {}
        signed = {
            "sendgrid": lambda: SENDGRID.call(*told),
            "postmark": lambda: rig.postmark(one),
            "mailgun": lambda: rig.mailgun(one),
            "ses": lambda: SNS.call(one),
            "generic/relay": lambda: rig.generic(told),
        }[provider]()
        answer = asyncio.run_coroutine_threadsafe(door.call(provider, signed), loop).result()
        assert answer.status_code in ({200, 400} if provider.startswith("generic") else {200})

    await asyncio.to_thread(say)
    await door.work()
    assert {row["state"] for row in await door.evidence()} <= {"processed", "parked"}
    assert await door.value("SELECT count(*) FROM failed_item") == 0


@pytest.mark.parametrize("header", ["authorization", "duly-signature", "x-twilio-email-event-webhook-signature"])
@pytest.mark.parametrize("value", ["", "Basic", "Basic =", "sha256=", "\xe9", base64.b64encode(b"\xff").decode()])
async def test_no_header_breaks_the_door(door: Door, header: str, value: str) -> None:
    headers = {"duly-timestamp": "1", "x-twilio-email-event-webhook-timestamp": "\xb2", header: value}
    sent = [(name.encode(), each.encode("latin-1")) for name, each in headers.items()]
    for provider in PROVIDERS:
        answer = await door.client.post(f"/callbacks/{provider}", content=b"{}", headers=sent)
        assert answer.status_code in {401, 403}
