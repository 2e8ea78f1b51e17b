"""The thin thread: one notice, from upstream's request to the sanction, through every real part."""

from __future__ import annotations

from tests.rig.smtp_sink import SinkProcess
from tests.rig.system import System, fee_outstanding


async def test_an_unanswered_fee_notice_is_served_lapses_and_is_sanctioned(
    system: System, smtp_sink: SinkProcess
) -> None:
    await system.start()
    await system.publish(fee_outstanding("fee-1"))
    await system.until_state("fee-1", "served")
    (mail,) = smtp_sink.mails()
    assert mail["recipient"] == "fee-1@business.example"
    await system.advance(days=25)
    await system.until_state("fee-1", "lapsed")
    await system.until("SELECT count(*) FROM sanction WHERE state = 'proposed'", 1)
    await system.advance(days=2)
    await system.until_state("fee-1", "sanctioned")
    assert await system.value("SELECT count(*) FROM outbox WHERE type = 'sanction.fired.v1'") == 1
    assert await system.value("SELECT lost FROM conservation") == 0
