"""What the console's pages work on: the desk's acts and reads, joined from the ports that they come from."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Protocol

from services.kernel.ledger.decisions import DecisionReads
from services.kernel.ledger.desk import ConsoleReads, DeskReads
from services.kernel.ledger.retention import RetentionActs, RetentionReads
from services.kernel.runtime.dead_letters.port import DeadLetterFacts, DeadLetterReads
from services.kernel.runtime.desk import Desk, DeskFacts
from services.kernel.runtime.desk_brakes import BrakeActs


class ConsoleActs(DeskFacts, BrakeActs, DeadLetterFacts, RetentionActs, Protocol):
    """What the acts of the pages read and write in their transactions."""


class ConsoleDesk(Desk, DeskReads, ConsoleReads, DecisionReads, DeadLetterReads, RetentionReads, Protocol):
    """One connection. Acts begin their own transactions; each read is a statement by itself."""

    def begin(self) -> AbstractAsyncContextManager[ConsoleActs]:
        """A transaction: committed when the block ends, rolled back when it raises."""


class ConsoleDesks(Protocol):
    """Where the pages get it from."""

    def open(self) -> AbstractAsyncContextManager[ConsoleDesk]:
        """A desk, until the end of the block.

        Raises:
            LedgerUnavailable: the database cannot be reached.
            LedgerRerun: do it again.
        """
