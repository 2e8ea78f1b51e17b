"""`duly up` as a process: killed again and again it goes on where it was; asked to stop it ends in good order."""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from tests.rig.house import Up, duly, empty_folder, wait_until
from tests.rig.rabbitmq import RabbitNode, free_port
from tests.rig.smtp_sink import SinkProcess
from tests.rig.system import System, fee_outstanding, paid

NOTICES = 240
PAID = range(100)
BOUNCED = range(200, 210)
SLOW = {"DULY_BATCH": "10", "DULY_PREFETCH": "10", "DULY_RESCUE_GRACE": "1", "DULY_HAND_OUT_AGAIN": "1"}
"""Small batches, so that a kill finds most of the work in the memory of the process."""


@pytest.fixture
def folder() -> Iterator[Path]:
    with empty_folder() as made:
        yield made


@pytest.fixture
def up(folder: Path) -> Iterator[Up]:
    process = Up(folder)
    yield process
    process.end()


def publish(folder: Path, *events: dict[str, object]) -> None:
    file = folder / "events.jsonl"
    file.write_text("".join(json.dumps(event) + "\n" for event in events))
    done = duly(folder, "publish", str(file))
    assert done.returncode == 0, done.stderr


async def test_nothing_is_lost_though_the_process_is_killed_in_every_phase(folder: Path, up: Up) -> None:
    up.start(**SLOW)
    (folder / "var" / "mail" / "rules.json").write_text(
        json.dumps({f"fee-{number}@business.example": "bounce" for number in BOUNCED})
    )

    publish(folder, *(fee_outstanding(f"fee-{number}") for number in range(NOTICES)))
    rendered = await up.until("SELECT count(*) FROM notice", lambda count: count >= 10)
    up.kill()
    assert rendered < NOTICES, "the kill came too late: nothing was in memory any more"

    up.start(**SLOW)
    await up.until("SELECT count(*) FROM attempt WHERE state = 'accepted'", lambda count: count >= 20)
    up.kill()

    up.start(**SLOW)
    served = "SELECT count(*) FROM notice WHERE state = 'served'"
    await up.until(served, lambda count: count == NOTICES - len(BOUNCED))
    await up.until("SELECT count(*) FROM notice WHERE state = 'unserved'", lambda count: count == len(BOUNCED))

    publish(folder, *(paid(f"fee-{number}") for number in PAID))
    satisfied = "SELECT count(*) FROM notice WHERE state = 'satisfied'"
    done = await up.until(satisfied, lambda count: count >= 3)
    up.kill()
    assert done < len(PAID), "the kill came too late: nothing was in memory any more"

    up.start(**SLOW)
    await up.until(satisfied, lambda count: count == len(PAID))
    await up.until("SELECT count(*) FROM outbox WHERE sent_at IS NULL", lambda count: count == 0)
    assert await up.until("SELECT lost FROM conservation", lambda _lost: True) == 0
    assert up.stop() == 0


def test_a_second_start_on_the_same_data_says_who_has_it(folder: Path, up: Up) -> None:
    up.start()
    second = duly(folder, "up")
    assert second.returncode == 3
    assert f"this data folder is in use by process {up.process.pid}" in second.stderr
    wait_until(lambda: "to stop" in up.log.read_text(), 20)
    (mails,) = re.findall(r"http://127\.0\.0\.1:\d+/", up.log.read_text())
    assert "No mail yet" in httpx2.get(mails).text
    assert up.stop(signal.SIGINT) == 0
    told = up.log.read_text()
    assert "the embedded default" in told
    assert (folder / "var" / "keys").stat().st_mode & 0o777 == 0o600


def test_invented_addresses_are_never_used_with_a_real_mail_system(folder: Path) -> None:
    done = duly(folder, "up", DULY_SMTP_URL="smtp://127.0.0.1:9")
    assert done.returncode == 2
    assert "DULY_MAIL_FROM: is not set" in done.stderr
    assert "DULY_BOUNCE_DOMAIN: is not set" in done.stderr


async def test_with_addresses_set_the_same_command_uses_those(
    folder: Path, up: Up, database_url: str, rabbit_node: RabbitNode, smtp_sink: SinkProcess
) -> None:
    rabbit_node.delete_all_queues()
    system = System(database_url, rabbit_node.url, f"smtp://127.0.0.1:{smtp_sink.port}", folder)
    settings = {name: value for name, value in system.environment().items() if name.startswith("DULY_")}
    port = str(free_port())
    oidc = {
        "DULY_OIDC_ISSUER": "http://127.0.0.1:9",
        "DULY_OIDC_CLIENT_ID": "duly",
        "DULY_OIDC_CLIENT_SECRET": "secret",
    }
    up.start(**settings, **oidc, DULY_INBOX_PORT=port)
    await system.publish(fee_outstanding("elsewhere"))
    await system.until_state("elsewhere", "served")
    assert f"http://127.0.0.1:{port}/" in up.log.read_text()
    assert httpx2.get(f"http://127.0.0.1:{port}/sign-in").status_code == 200
    assert up.stop() == 0
    assert "the embedded default" not in up.log.read_text()
    assert not (folder / "var" / "postgres").exists()
    assert not (folder / "var" / "mail").exists()
