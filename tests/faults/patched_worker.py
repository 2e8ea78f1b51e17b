"""A worker process with one of its safeguards taken out.

    python tests/faults/patched_worker.py --without-lock sanctions

For tests which show that a safeguard is needed: with it removed, the same test must fail.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Iterable
from pathlib import Path
from uuid import UUID

sys.path.insert(0, str(Path(__file__).parents[2]))

from services.kernel.adapters.postgres import gate
from services.kernel.adapters.postgres.queries import queries
from services.kernel.adapters.postgres.transaction import PostgresTransaction
from services.kernel.domain.gate import GateFacts
from services.kernel.domain.notice import Notice
from services.kernel.ledger import GatePolicy, SanctionRow

_LOCKING = "FOR NO KEY UPDATE"


def without_lock() -> None:
    """Notices and brakes are read, but not locked."""
    statements = queries()
    assert _LOCKING in statements["notice_lock"]
    statements["notice_lock"] = statements["notice_lock"].replace(_LOCKING, "")
    statements["brake_lock"] = "SELECT $1::text"


class FactsWhileLocking(PostgresTransaction):
    """The gate's facts come from the very statement that waits for the lock: they are older than the wait."""

    async def lock(self, notice_ids: Iterable[UUID]) -> dict[UUID, Notice]:
        statement = f"{queries()['gate_facts'].rstrip().rstrip(';')} {_LOCKING} OF n"
        (notice_id,) = notice_ids
        self._row = await self._connection.fetchrow(statement, notice_id, "registration.cancel", 1)
        return await super().lock([notice_id])

    async def gate_facts(self, notice: Notice, asked_version: int, policy: GatePolicy) -> tuple[GateFacts, SanctionRow]:
        assert self._row is not None
        return gate.facts(self._row, notice, asked_version, policy)


def facts_while_locking() -> None:
    """Lock and facts are one statement."""
    importlib.import_module("services.kernel.adapters.postgres.ledger").PostgresTransaction = FactsWhileLocking


def lease_of(seconds: float) -> None:
    """An attempt's lease is shorter than the mail system may take to answer."""
    notifier = importlib.import_module("services.notifier.handler").Notifier
    made = notifier.__init__

    def shortened(self: object, *given: object, lease: float, **named: object) -> None:
        made(self, *given, lease=min(lease, seconds), **named)

    notifier.__init__ = shortened


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("worker")
    parser.add_argument("--without-lock", action="store_true")
    parser.add_argument("--facts-while-locking", action="store_true")
    parser.add_argument("--lease", type=float)
    asked = parser.parse_args()
    if asked.without_lock:
        without_lock()
    if asked.facts_while_locking:
        facts_while_locking()
    if asked.lease is not None:
        lease_of(asked.lease)
    return int(importlib.import_module(f"services.{asked.worker}.__main__").main())


if __name__ == "__main__":
    sys.exit(main())
