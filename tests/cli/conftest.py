"""Every test of the command line may ask for these."""

from tests.rig.commands import duly, ledger_of
from tests.rig.postgres import database_url, migrated_template, postgres_server

__all__ = ["database_url", "duly", "ledger_of", "migrated_template", "postgres_server"]
