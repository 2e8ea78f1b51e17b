"""The whole of Duly, in processes, on a trial database whose clock can be moved."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.rig.rabbitmq import RabbitNode
from tests.rig.smtp_sink import SinkProcess
from tests.rig.system import System


@pytest.fixture
async def system(
    trial_database_url: str, rabbit_node: RabbitNode, smtp_sink: SinkProcess, tmp_path: Path
) -> AsyncIterator[System]:
    rabbit_node.delete_all_queues()
    duly = System(trial_database_url, rabbit_node.url, f"smtp://127.0.0.1:{smtp_sink.port}", tmp_path)
    try:
        yield duly
    finally:
        duly.stop()
