"""The whole of Duly, in processes, on a trial database whose clock can be moved; one for all stories of a file."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from tests.journeys.outside import Upstream
from tests.rig.postgres import PrivatePostgres
from tests.rig.rabbitmq import RabbitNode
from tests.rig.smtp_sink import SinkProcess
from tests.rig.system import System


@pytest.fixture(scope="module")
def sink(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SinkProcess]:
    """The mail system of a file's stories; it keeps contents."""
    process = SinkProcess(tmp_path_factory.mktemp("sink"), keep=True).start()
    yield process
    process.stop()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def duly(
    postgres_server: PrivatePostgres,
    trial_template: str,
    rabbit_node: RabbitNode,
    sink: SinkProcess,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[System]:
    """Every worker as a process; what upstream says is refused after three seconds if it names no notice."""
    rabbit_node.delete_all_queues()
    database = postgres_server.new_database(template=trial_template)
    folder = tmp_path_factory.mktemp("duly")
    system = System(database, rabbit_node.url, f"smtp://127.0.0.1:{sink.port}", folder)
    system.settings["DULY_UNKNOWN_NOTICE_PATIENCE"] = "3"
    try:
        await system.start()
        yield system
    finally:
        system.stop()


@pytest.fixture(scope="module")
def upstream(duly: System, rabbit_node: RabbitNode) -> Iterator[Upstream]:
    """Upstream's own queue, bound to what Duly tells."""
    assert duly.processes
    with rabbit_node.channel() as channel:
        listener = Upstream(channel)
        listener.bind()
        yield listener
        channel.queue_delete(listener.queue)
