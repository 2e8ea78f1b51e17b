"""The OpenAPI document against the door: schemathesis makes requests of it, sound and broken, and finds nothing."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from services.kernel.adapters.postgres.ledger import PostgresLedger
from tests.doors.conftest import serving
from tests.rig.house import environment
from tests.rig.intake import KEYS, Keeping, door

pytestmark = pytest.mark.asyncio(loop_scope="module")

# A sound event may still be refused: 422 by policy, which no schema knows, 413 for more events than the door takes.
SETTINGS = """
[checks.positive_data_acceptance]
expected-statuses = ["2xx", "3xx", "401", "403", "404", "409", "413", "422"]
"""


async def test_schemathesis_finds_nothing(ledger: PostgresLedger, tmp_path: Path) -> None:
    config = tmp_path / "schemathesis.toml"
    config.write_text(SETTINGS)
    async with serving(door(ledger, Keeping(), rate=1e6, burst=1e6)) as url:
        command = [
            *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(config), "run", f"{url}/v1/openapi.json"),
            *("--header", f"Authorization: Bearer {KEYS['fees']}", "--phases", "examples,coverage,fuzzing"),
            *("--max-examples", "25", "--seed", "1", "--generation-deterministic", "--no-color", "--warnings", "off"),
        ]
        process = await asyncio.create_subprocess_exec(
            *command, cwd=tmp_path, env=environment(), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
        )
        said, _ = await process.communicate()
    assert process.returncode == 0, said.decode()[-6000:]
    assert await ledger.pool.fetchval("SELECT count(*) FROM intake_event") > 0, "some of what it made was taken in"
