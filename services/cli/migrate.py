"""`duly migrate`: the database's schema."""

from __future__ import annotations

import asyncio

from services.cli import screen
from services.cli.options import Json
from services.kernel.runtime.fault import Fault


def migrate(*, json: Json = False) -> None:
    """Apply the migrations that the database lacks (DULY_DATABASE_URL, or the embedded one). Safe to repeat."""
    from services.cli.database import database  # noqa: PLC0415 -- heavy
    from services.kernel.adapters.postgres import migrate as migrations  # noqa: PLC0415 -- heavy
    from services.kernel.ledger import LedgerUnavailable  # noqa: PLC0415 -- heavy

    try:
        with database() as dsn:
            applied = asyncio.run(migrations.migrate(dsn))
    except LedgerUnavailable as error:
        raise Fault(str(error), "DULY_DATABASE_URL", "start that database, or correct the setting") from error
    except migrations.MigrationFault as error:
        raise Fault(str(error), "schemas/database", "use the code that this database was made with") from error
    if json:
        screen.json_line({"applied": applied})
        return
    for name in applied:
        screen.line(f"applied {name}")
    screen.line("the schema is up to date", screen.GOOD if applied else "")
