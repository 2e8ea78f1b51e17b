"""What the console's pages work on: the desk's acts and reads, joined from the ports that they come from."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Protocol

from services.kernel.ledger.desk import ConsoleReads, DeskReads
from services.kernel.runtime.desk import Desk


class ConsoleDesk(Desk, DeskReads, ConsoleReads, Protocol):
    """One connection. Acts begin their own transactions; each read is a statement by itself."""


class ConsoleDesks(Protocol):
    """Where the pages get it from."""

    def open(self) -> AbstractAsyncContextManager[ConsoleDesk]:
        """A desk, until the end of the block.

        Raises:
            LedgerUnavailable: the database cannot be reached.
            LedgerRerun: do it again.
        """
