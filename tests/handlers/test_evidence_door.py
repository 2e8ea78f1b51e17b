"""The evidence door: what it could not store still counts, order is kept, and headers prove nothing."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest

from services.intake.handler import Intake
from services.kernel.adapters.postgres import writes
from services.kernel.domain.changes import EvidenceStored
from services.kernel.ports import Delivery
from services.kernel.runtime.consumer import _groups
from services.kernel.runtime.items import FAILED_ID, items_of
from tests.handlers.bench import IDS, LIBRARY_HERE, Bench, delivery, item
from tests.rig.system import fee_outstanding, paid

OPEN = "SELECT state FROM raw_evidence WHERE type = 'undecodable'"


@pytest.fixture
def intake() -> Intake:
    return Intake(LIBRARY_HERE, IDS, batch=100)


async def test_a_sound_message_that_names_anothers_dead_letter_in_its_header_does_not_clear_it(
    bench: Bench, intake: Intake
) -> None:
    await bench.run(intake, items_of(delivery(b"{broken", "obligation.satisfied.v1", {"ce-source": "fees"}), "intake"))
    dead = await bench.value("SELECT failed_id FROM failed_item WHERE state = 'dead'")
    body = json.dumps({"specversion": "1.0", "id": str(uuid4()), **paid("other")}).encode()
    forged = delivery(body, "obligation.satisfied.v1", {FAILED_ID: str(dead)})
    await bench.run(intake, items_of(forged, "intake"))
    assert await bench.value("SELECT state FROM failed_item WHERE failed_id = $1", dead) == "dead"
    assert await bench.value(OPEN) == "dead"


async def test_evidence_whose_work_raised_is_kept_as_undecodable_so_that_no_mark_overtakes_it(
    bench: Bench, intake: Intake, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("planted")

    monkeypatch.setattr(intake, "_stranger", fail)
    await bench.run(intake, [item(paid("one"), "intake")])
    assert await bench.value(OPEN) == "dead"
    assert await bench.value("SELECT source FROM raw_evidence") == "fees"
    assert await bench.value("SELECT evidence_id IS NOT NULL FROM failed_item WHERE state = 'dead'")


def test_redelivered_messages_go_alone_and_in_the_order_in_which_all_came() -> None:
    def numbered(tag: int, *, redelivered: bool) -> Delivery:
        return replace(delivery(b"", "mark.sent.v1"), tag=tag, redelivered=redelivered)

    came = [numbered(tag, redelivered=tag in {3, 4, 7}) for tag in range(1, 9)]
    assert [[each.tag for each in group] for group in _groups(came)] == [[1, 2], [3], [4], [5, 6], [7], [8]]


async def test_a_strangers_evidence_does_not_take_the_id_that_it_names(bench: Bench, intake: Intake) -> None:
    """Else its owner, who comes over HTTP, would be told that the event is known."""
    body = json.dumps({"specversion": "1.0", "id": "pay-1", **paid("one")}).encode()
    came = replace(delivery(body, "obligation.satisfied.v1"), user_id="registry")
    await bench.run(intake, items_of(came, "intake"))
    row = await bench.ledger.pool.fetchrow("SELECT source, event_id, state FROM raw_evidence")
    assert tuple(row) == ("fees", None, "refused")


@pytest.mark.parametrize("batches", [[["registry"], ["fees"]], [["registry", "fees"]], [["fees", "registry"]]])
async def test_a_stranger_who_guesses_an_event_id_keeps_nobodys_evidence_out(
    bench: Bench, intake: Intake, batches: list[list[str]]
) -> None:
    (own,) = [item(paid("one"), "intake")]
    for users in batches:
        await bench.run(intake, [replace(own, delivery=replace(own.delivery, user_id=user)) for user in users])
    states = await bench.column("SELECT state FROM raw_evidence ORDER BY state")
    assert states == ["refused", "waiting"]


@pytest.mark.parametrize("batches", [[["registry"], ["fees"]], [["registry", "fees"]], [["fees", "registry"]]])
async def test_a_stranger_who_guesses_an_event_id_keeps_nobodys_request_out(
    bench: Bench, batches: list[list[str]]
) -> None:
    asked = item(fee_outstanding("one"))
    for users in batches:
        items = [replace(asked, delivery=replace(asked.delivery, user_id=user)) for user in users]
        await bench.run(bench.renderer, items)
        for failed_id in await bench.column("SELECT failed_id FROM failed_item WHERE state = 'retry'"):
            await bench.run(bench.renderer, [await bench.again(failed_id)])
    assert await bench.value("SELECT count(*) FROM notice") == 1


async def test_a_strangers_request_is_a_strangers_still_when_it_is_tried_again(bench: Bench) -> None:
    """`relay` sends it again as Duly's own user."""
    asked = item(fee_outstanding("one"))
    twice = [replace(asked, delivery=replace(asked.delivery, user_id="registry"))]
    other = item(fee_outstanding("one", business_id="B-other"))
    twice.append(replace(other, delivery=replace(other.delivery, user_id="registry")))
    await bench.run(bench.renderer, twice)
    (failed_id,) = await bench.column("SELECT failed_id FROM failed_item WHERE state = 'retry'")
    await bench.run(bench.renderer, [await bench.again(failed_id)])
    assert await bench.value("SELECT count(*) FROM notice") == 0
    told = await bench.column("SELECT body FROM outbox WHERE type = 'notice.refused.v1'")
    assert len(told) == 2


async def test_a_mail_for_many_recipients_is_stored_in_portions_that_fit_into_a_statement(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twenty recipients of a mail of fifty megabytes would be more than PostgreSQL takes in one statement."""
    monkeypatch.setattr(writes, "MOST_AT_ONCE", 100)
    sizes: list[int] = []

    class Counting:
        def __init__(self, connection: Any) -> None:
            self._connection = connection

        async def fetch(self, query: str, *columns: list[Any]) -> Any:
            sizes.append(sum(map(len, columns[7])))
            return await self._connection.fetch(query, *columns)

    rows = [
        EvidenceStored(
            IDS.uuid7(), "mail", None, None, "mail.received", "message/rfc822", "{}", b"x" * size, None, None, None, (),
            "waiting",
        )
        for size in (40, 40, 40, 200, 1, 99)
    ]  # fmt: skip
    async with bench.ledger.pool.acquire() as connection, connection.transaction():
        counting: Any = Counting(connection)
        new = await writes.store(counting, rows)
    assert sizes == [80, 40, 200, 100]
    assert new == {row.evidence_id for row in rows}
    assert await bench.value("SELECT sum(octet_length(body)) FROM raw_evidence") == 420


async def test_an_upstream_that_bears_a_providers_name_keeps_none_of_its_events_out(bench: Bench) -> None:
    """What comes over AMQP and over HTTP is one upstream's; a provider is another, whatever it is called."""

    def row(door: str) -> EvidenceStored:
        return EvidenceStored(
            IDS.uuid7(), door, "postmark", "Bounce:1", "any.v1", "application/json", "{}", b"{}", None, None, None, (),
            "waiting",
        )  # fmt: skip

    async with bench.ledger.begin() as tx:
        assert len(await tx.store([row("http"), row("callback"), row("amqp")])) == 2
    async with bench.ledger.begin() as tx:
        assert await tx.store([row("callback"), row("http")]) == set()
    assert await bench.column("SELECT door FROM raw_evidence ORDER BY door") == ["callback", "http"]
