"""Publishing what a transaction left in the outbox: in order per notice, marked when the broker has confirmed."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from schemas.catalogue import EXCHANGE
from services.kernel.ledger import Ledger, Unsent
from services.kernel.ports import Broker, Outgoing
from services.kernel.runtime.tracing import around


async def publish_unsent(broker: Broker, ledger: Ledger, unsent: Sequence[Unsent]) -> int:
    """Publish rows wave by wave, so that nothing overtakes an older event of its notice; how many were confirmed.

    What is not confirmed stays in the outbox for `relay`, together with all that is younger of the same notice.
    """
    confirmed = 0
    waiting = list(unsent)
    while waiting:
        wave, rest = _first_of_each(waiting)
        with around("send", EXCHANGE, len(wave)):
            got = await broker.publish([Outgoing(row.outbox_id, row.type, row.body) for row in wave])
        await ledger.sent(sorted(got))
        confirmed += len(got)
        held = {row.notice_id for row in wave if row.outbox_id not in got}
        waiting = [row for row in rest if row.notice_id not in held]
    return confirmed


def _first_of_each(rows: Sequence[Unsent]) -> tuple[list[Unsent], list[Unsent]]:
    seen: set[UUID] = set()
    wave: list[Unsent] = []
    rest: list[Unsent] = []
    for row in rows:
        if row.notice_id is not None and row.notice_id in seen:
            rest.append(row)
        else:
            wave.append(row)
            if row.notice_id is not None:
                seen.add(row.notice_id)
    return wave, rest
