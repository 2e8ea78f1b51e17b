"""Scaling shown: workers added, taken away and restarted under load, while five thousand notices meet their fates.

`duly run` as real processes, two of each, the previous version's beside them on a database that is migrated already and
has today's roles, as an upgrade does it.
Of each worker's two one leaves by SIGTERM and one dies by SIGKILL; at the end all leave by SIGTERM.
"""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from pathlib import Path

import pytest

from schemas.catalogue import CATALOGUE, EXCHANGE
from services.kernel.adapters.broker import Topology, open_broker
from tests.faults.fleet import Departure, Fleet, report
from tests.faults.previous_version import previous_version
from tests.faults.restart_judge import judge
from tests.faults.restart_load import BY_WEBHOOK, Fate, Feed, fate_of
from tests.faults.restart_planted import planted
from tests.faults.restart_seen import TOLD, Seen, gather
from tests.faults.restart_visitors import visiting
from tests.faults.sink_log import SinkLog
from tests.rig.rabbitmq import RabbitNode, free_port
from tests.rig.smtp_sink import SinkProcess
from tests.rig.system import CHECKOUT, System
from tests.rig.webhook_receiver import receiving

pytestmark = pytest.mark.slow
NOTICES = 5000
WORKERS = (
    "webhooks", "renderer", "notifier", "callbacks", "inbox", "console",
    "intake", "bounces", "responses", "relay", "deadlines", "sanctions",
)  # fmt: skip
"""In the order in which they are restarted: what works last, last; and webhooks first, as what a killed one had claimed
is handed out again after a minute."""
DOORS = {"callbacks": "DULY_LMTP_PORT", "inbox": "DULY_INBOX_PORT", "console": "DULY_CONSOLE_PORT"}
"""Each process of these has a port of its own, which whoever replaces it takes over."""
PREVIOUS = ("renderer", "notifier", "responses", "sanctions")
THIRDS = ("renderer", "sanctions")
LONGEST_EXIT = 10.0
ROLES = CHECKOUT / "deploy" / "postgres" / "roles.sql"
SETTINGS = {
    "DULY_RELAY_EVERY": "0.25", "DULY_DEADLINES_EVERY": "0.25", "DULY_MARK_EVERY": "0.5",
    "DULY_OUTBOX_GRACE": "2", "DULY_HAND_OUT_AGAIN": "10", "DULY_LEASE_MARGIN": "2",
    "DULY_SMTP_CONNECT_SECONDS": "3", "DULY_SMTP_COMMAND_SECONDS": "3", "DULY_SMTP_DATA_SECONDS": "3",
    "DULY_SMTP_WAIT_SECONDS": "5", "DULY_WEBHOOK_PRIVATE": "1", "DULY_WEBHOOK_KEYS": f"{BY_WEBHOOK}:{'5a' * 32}",
    "DULY_WEBHOOK_SECONDS": "5", "DULY_INBOX_OUTAGE": "1e9", "DULY_INBOX_ANSWERS_PER_HOUR": "1e6",
    **{f"DULY_{site}OIDC_{name}": told for site in ("", "CONSOLE_")
       for name, told in {"ISSUER": "http://127.0.0.1:1", "CLIENT_ID": "duly", "CLIENT_SECRET": "nobody asks"}.items()},
}  # fmt: skip
"""Leases that end soon: what a killed process held is taken up again while the test lasts. The legal clock leaps, which
is no outage of the inbox."""


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
    began, log = time.monotonic(), SinkLog(sink.log)
    ports = {door: (free_port(), free_port()) for door in DOORS}
    feed = Feed(fleet.system, log, ports["callbacks"], NOTICES)
    answered = [ref for ref in feed.refs if fate_of(ref) is Fate.ANSWERED]
    await prepare(fleet.system, rabbit_node)
    async with (
        receiving() as receiver,
        visiting(fleet.system, answered, ports["inbox"], ports["console"]) as visitors,
    ):
        await fleet.system.value(_TELL_BY_WEBHOOK, BY_WEBHOOK, receiver.url)
        feed.business = visitors.business
        await start(fleet, ports)
        tell(f"one of each, and {len(PREVIOUS)} previous: {time.monotonic() - began:.0f} s")
        async with asyncio.TaskGroup() as acts:
            wandering = acts.create_task(visitors.wander())
            feeding = acts.create_task(feed.run())
            await restart(fleet, feed, ports)
            await feeding
            wandering.cancel()
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


Ports = Mapping[str, tuple[int, int]]


async def start(fleet: Fleet, ports: Ports) -> None:
    """One of each, and the previous version's."""
    for worker in PREVIOUS:
        fleet.spawn(worker, is_previous=True)
    for worker in WORKERS:
        fleet.spawn(worker, **settings_of(worker, ports, 0))
    await fleet.ready(*fleet.members)


def settings_of(worker: str, ports: Ports, which: int) -> dict[str, str]:
    """The settings of the first or second process of a worker alone."""
    return {DOORS[worker]: str(ports[worker][which])} if worker in DOORS else {}


async def restart(fleet: Fleet, feed: Feed, ports: Ports) -> None:
    """Scale out, restart every process of every worker, scale in; the load goes on as long as this does.

    The kill comes before the SIGTERM, so that no mail which is sent twice after it can be the kill's.
    """
    acts: list[Callable[[], Awaitable[None]]] = [
        *(lambda worker=worker: fleet.scale_out(worker, **settings_of(worker, ports, 1)) for worker in WORKERS),
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
