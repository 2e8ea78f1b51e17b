"""Worker processes on a database that is this module's own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.rig.postgres import PrivatePostgres


@pytest.fixture(scope="module")
def module_database(postgres_server: PrivatePostgres, migrated_template: str) -> Iterator[str]:
    """The DSN of a fresh, migrated database for one module, without a movable clock."""
    dsn = postgres_server.new_database(template=migrated_template)
    yield dsn
    postgres_server.drop_database(dsn.partition("@/")[2].partition("?")[0])
