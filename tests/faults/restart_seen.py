"""What everybody saw of the rolling restart: the database, upstream by AMQP and by webhook, the mail system."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any
from uuid import UUID

from services.kernel.domain.chain import Fact
from tests.faults.fleet import Fleet
from tests.faults.judge import facts_of
from tests.faults.restart_load import Feed
from tests.faults.sink_log import SinkLog
from tests.rig.rabbitmq import RabbitNode
from tests.rig.webhook_receiver import Receiver

Row = Mapping[str, Any]
Event = Mapping[str, Any]
TOLD = "told"
"""Upstream's queue."""


@dataclass
class Seen:
    """What everybody saw: the database's rows, upstream's events as they came, the mail system's log.

    `notices` by reference; `facts`, `holds` (open ones), `reversals` and `sanctions` by notice; `attempts` states by
    attempt; `mails` by recipient; `kills` the Unix times at which a notifier was killed.
    """

    refs: list[str]
    notices: dict[str, list[Row]]
    facts: dict[UUID, list[Fact]]
    holds: Counter[UUID]
    reversals: Counter[UUID]
    sanctions: dict[UUID, list[Row]]
    attempts: dict[UUID, Row]
    mails: dict[str, list[Row]]
    by_amqp: list[Event]
    by_webhook: list[Event]
    kills: list[float]


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


_ROWS = {
    "notices": "SELECT source_ref, * FROM notice ORDER BY source_ref",
    "facts": "SELECT * FROM notice_event ORDER BY notice_id, seq",
    "holds": "SELECT notice_id FROM hold WHERE lifted_at IS NULL",
    "reversals": "SELECT notice_id FROM reversal JOIN sanction USING (sanction_id)",
    "sanctions": "SELECT notice_id, sanction_id, fired_at FROM sanction ORDER BY notice_id",
    "attempts": "SELECT attempt_id, state FROM attempt",
}
