"""Scaling shown: workers added, taken away and restarted under load, while five thousand notices meet their fates.

`duly run` as real processes, two of each, the previous version's beside them on a database that is migrated already and
has today's roles, as an upgrade does it.
Of each worker's two one leaves by SIGTERM and one dies by SIGKILL; at the end all leave by SIGTERM.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from itertools import groupby
from pathlib import Path

import pytest

from schemas.catalogue import CATALOGUE, EXCHANGE
from services.kernel.adapters.broker import Topology, open_broker
from tests.faults.fleet import Departure, Fleet, report
from tests.faults.judge import facts_of
from tests.faults.previous_version import previous_version
from tests.faults.restart_judge import Seen, judge
from tests.faults.restart_load import BY_WEBHOOK, Feed
from tests.faults.restart_planted import planted
from tests.faults.sink_log import SinkLog
from tests.rig.rabbitmq import RabbitNode, free_port
from tests.rig.smtp_sink import SinkProcess
from tests.rig.system import CHECKOUT, System
from tests.rig.webhook_receiver import Receiver, receiving

pytestmark = pytest.mark.slow
NOTICES = 5000
WORKERS = (
    "renderer", "notifier", "callbacks", "intake", "webhooks",
    "bounces", "responses", "relay", "deadlines", "sanctions",
)  # fmt: skip
"""In the order in which they are restarted: what works last, last."""
PREVIOUS = ("renderer", "notifier", "responses", "sanctions")
THIRDS = ("renderer", "sanctions")
LONGEST_EXIT = 10.0
TOLD = "told"
ROLES = CHECKOUT / "deploy" / "postgres" / "roles.sql"
SETTINGS = {
    "DULY_RELAY_EVERY": "0.25", "DULY_DEADLINES_EVERY": "0.25", "DULY_MARK_EVERY": "0.5",
    "DULY_OUTBOX_GRACE": "2", "DULY_HAND_OUT_AGAIN": "10", "DULY_LEASE_MARGIN": "2",
    "DULY_SMTP_CONNECT_SECONDS": "3", "DULY_SMTP_COMMAND_SECONDS": "3", "DULY_SMTP_DATA_SECONDS": "3",
    "DULY_SMTP_WAIT_SECONDS": "5", "DULY_WEBHOOK_PRIVATE": "1", "DULY_WEBHOOK_KEYS": f"{BY_WEBHOOK}:{'5a' * 32}",
    "DULY_WEBHOOK_SECONDS": "5",
}  # fmt: skip
"""Leases that end soon: what a killed process held is taken up again while the test lasts."""


@pytest.fixture
def previous(tmp_path: Path) -> Path:
    return previous_version(tmp_path)


@pytest.fixture
def sink(tmp_path: Path) -> Iterator[SinkProcess]:
    mail = SinkProcess(tmp_path, keep=True).start()
    yield mail
    mail.stop()


@pytest.fixture
async def fleet(
    previous: Path, trial_database_url: str, rabbit_node: RabbitNode, sink: SinkProcess, tmp_path: Path
) -> AsyncIterator[Fleet]:
    rabbit_node.delete_all_queues()
    address = f"smtp://127.0.0.1:{sink.port}"
    system = System(trial_database_url, rabbit_node.url, address, tmp_path, settings=SETTINGS)
    yield Fleet(system, previous)
    system.stop()


async def test_every_worker_is_restarted_under_load_beside_its_previous_version_and_nothing_is_lost_or_doubled(
    fleet: Fleet, sink: SinkProcess, rabbit_node: RabbitNode
) -> None:
    began, log, ports = time.monotonic(), SinkLog(sink.log), [free_port(), free_port()]
    feed = Feed(fleet.system, log, ports, NOTICES)
    await prepare(fleet.system, rabbit_node)
    async with receiving() as receiver:
        await fleet.system.value(_TELL_BY_WEBHOOK, BY_WEBHOOK, receiver.url)
        await start(fleet, ports)
        tell(f"one of each, and {len(PREVIOUS)} previous: {time.monotonic() - began:.0f} s")
        async with asyncio.TaskGroup() as both:
            both.create_task(feed.run())
            both.create_task(restart(fleet, feed, ports))
        tell(f"fed and restarted: {time.monotonic() - began:.0f} s")
        await settled(fleet.system)
        await fleet.dissolve()
    tell(f"{report(fleet.departures)}\n{time.monotonic() - began:.0f} s")
    judge_departures(fleet.departures)
    seen = await gather(fleet, feed, log, receiver, rabbit_node)
    findings = judge(seen)
    assert findings == [], "\n".join(map(str, findings[:20]))
    assert await fleet.system.value("SELECT lost + in_flight - (SELECT count(*) FROM hold) FROM conservation") == 0
    tell(f"{repeats(seen)}; judged: {time.monotonic() - began:.0f} s")
    assert_planted_faults_are_found(seen)


async def prepare(system: System, node: RabbitNode) -> None:
    """A role for each worker, no cap on sanctions, and a queue of upstream's that hears everything."""
    async with system.sql() as connection:
        await connection.execute(f"{ROLES.read_text()} GRANT SELECT ON trial_clock TO PUBLIC; {_NO_CAP}")
    topology = Topology(exchange=EXCHANGE, queues=())
    broker = open_broker(system.broker, topology, "upstream")
    await broker.connect()
    await broker.close()
    with node.channel() as channel:
        channel.queue_declare(TOLD, durable=True, auto_delete=False)
        for entry in CATALOGUE.values():
            if entry.consumer is None:
                channel.queue_bind(TOLD, EXCHANGE, entry.type)


# --- workers come and go ----------------------------------------------------------------------------------------------


async def start(fleet: Fleet, ports: list[int]) -> None:
    """One of each, and the previous version's."""
    for worker in PREVIOUS:
        fleet.spawn(worker, is_previous=True)
    for worker in WORKERS:
        fleet.spawn(worker, **settings_of(worker, ports[0]))
    await fleet.ready(*fleet.members)


def settings_of(worker: str, port: int) -> dict[str, str]:
    """A door has an address of its own."""
    return {"DULY_LMTP_PORT": str(port)} if worker == "callbacks" else {}


async def restart(fleet: Fleet, feed: Feed, ports: list[int]) -> None:
    """Scale out, restart every process of every worker, scale in; the load goes on as long as this does.

    The kill comes before the SIGTERM, so that no mail which is sent twice after it can be the kill's.
    """
    acts: list[Callable[[], Awaitable[None]]] = [
        *(lambda worker=worker: fleet.scale_out(worker, **settings_of(worker, ports[1])) for worker in WORKERS),
        *(lambda worker=worker: fleet.scale_out(worker) for worker in THIRDS),
        *(act for worker in WORKERS for act in (
            lambda worker=worker: fleet.replace(fleet.of(worker)[0], signal.SIGKILL),
            lambda worker=worker: fleet.replace(fleet.of(worker)[0]),
        )),
        *(lambda worker=worker: fleet.end(fleet.of(worker)[0]) for worker in THIRDS),
    ]  # fmt: skip
    for number, act in enumerate(acts):
        feed.let(feed.cohorts * (number + 1) // len(acts) - feed.cohorts * number // len(acts))
        await act()


def judge_departures(departures: list[Departure]) -> None:
    """Who was asked to leave left in good order and in time; everyone had work to lose, the previous version's too."""
    asked = [each for each in departures if not each.is_killed]
    assert [each for each in asked if each.code or each.seconds >= LONGEST_EXIT] == []
    assert Counter(each.worker for each in departures if each.is_killed) == dict.fromkeys(WORKERS, 1)
    assert {each.worker for each in asked if each.is_previous} == set(PREVIOUS)
    idle = [each for each in departures if each.done == 0 and (each.is_killed or each.is_previous)]
    assert idle == [], "they did nothing"


# --- what everybody saw -----------------------------------------------------------------------------------------------


async def settled(system: System) -> None:
    """Nothing is to be done or told any more."""
    for query in _UNSETTLED:
        await system.until(query, 0, seconds=90)


async def gather(fleet: Fleet, feed: Feed, log: SinkLog, receiver: Receiver, node: RabbitNode) -> Seen:
    """From the database, upstream's queue and webhooks, and the mail system's log."""
    rows = {name: await fleet.system.fetch(query) for name, query in _ROWS.items()}
    grouped = {
        name: {key: list(some) for key, some in groupby(rows[name], key=lambda row: row[0])}
        for name in ("notices", "facts", "sanctions")
    }
    return Seen(
        refs=feed.refs,
        notices=grouped["notices"],
        facts={key: facts_of(some) for key, some in grouped["facts"].items()},
        holds=Counter(row["notice_id"] for row in rows["holds"]),
        reversals=Counter(row["notice_id"] for row in rows["reversals"]),
        sanctions=grouped["sanctions"],
        attempts={row["attempt_id"]: row for row in rows["attempts"]},
        mails=log.by_recipient(),
        by_amqp=[event for body in drained(node) if "sequence" in (event := json.loads(body))],
        by_webhook=[got.event for got in receiver.got],
        kills=[each.at for each in fleet.departures if each.is_killed and each.worker == "notifier"],
    )


def drained(node: RabbitNode) -> list[bytes]:
    """What upstream's queue has, in order."""
    bodies: list[bytes] = []
    with node.channel() as channel:
        wanted = channel.queue_declare(TOLD, passive=True).message_count
        channel.basic_consume(TOLD, no_ack=True, callback=lambda message: bodies.append(message.body))
        while len(bodies) < wanted:
            channel.connection.drain_events(timeout=10)
    return bodies


def repeats(seen: Seen) -> str:
    """What came more than once, as it may."""
    mails = sum(map(len, seen.mails.values())) - len(seen.refs)
    again = [len(events) - len({event["id"] for event in events}) for events in (seen.by_amqp, seen.by_webhook)]
    return (
        f"{len(seen.by_amqp)} events by AMQP, {again[0]} of them again; {len(seen.by_webhook)} by webhook,"
        f" {again[1]} again; {mails} mails again"
    )


def assert_planted_faults_are_found(sound: Seen) -> None:
    seen, wanted = planted(sound)
    assert {(finding.what, finding.ref) for finding in judge(seen)} == wanted


def tell(what: str) -> None:
    """To the test's output: pytest shows it where the test failed, or with -s."""
    sys.stdout.write(f"\n{what}\n")


_NO_CAP = """
INSERT INTO brake (kind, cap_per_hour, changed_by, changed_at, reason)
VALUES ('registration.cancel', 100000, 'test', now(), 'many at once')"""
_TELL_BY_WEBHOOK = """
INSERT INTO webhook (source, url, added_by, added_at) VALUES ($1, $2, 'test', clock_timestamp()) RETURNING 1"""
_UNSETTLED = (
    "SELECT count(*) FROM raw_evidence WHERE state NOT IN ('processed', 'refused', 'cleared')",
    "SELECT count(*) FROM failed_item WHERE state IN ('retry', 'replaying')",
    """SELECT count(*) FROM notice n WHERE state IN ('accepted', 'rendered', 'served', 'lapsed')
    AND NOT EXISTS (SELECT FROM hold h WHERE h.notice_id = n.notice_id)""",
    "SELECT count(*) FROM outbox WHERE sent_at IS NULL",
    "SELECT count(*) FROM webhook_delivery WHERE delivered_at IS NULL",
)
_ROWS = {
    "notices": "SELECT source_ref, * FROM notice ORDER BY source_ref",
    "facts": "SELECT * FROM notice_event ORDER BY notice_id, seq",
    "holds": "SELECT notice_id FROM hold WHERE lifted_at IS NULL",
    "reversals": "SELECT notice_id FROM reversal JOIN sanction USING (sanction_id)",
    "sanctions": "SELECT notice_id, sanction_id, fired_at FROM sanction ORDER BY notice_id",
    "attempts": "SELECT attempt_id, state FROM attempt",
}
