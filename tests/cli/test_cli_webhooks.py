"""`duly webhooks …`: who is told by webhook, and whether that works."""

from __future__ import annotations

import pytest

from services.kernel.adapters.postgres.ledger import PostgresLedger
from services.kernel.domain.changes import Announced
from services.kernel.runtime.fault import Exit
from tests.rig.commands import Duly, OnLedger
from tests.rig.webhook_receiver import answer, receiving_beside

KEY = bytes(range(32))


pytestmark = pytest.mark.usefixtures("ledger_of")


@pytest.fixture(autouse=True)
def settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DULY_WEBHOOK_KEYS", f"fees:{KEY.hex()}")
    monkeypatch.setenv("DULY_WEBHOOK_PRIVATE", "1")


async def owe(ledger: PostgresLedger) -> None:
    async with ledger.begin() as tx:
        await tx.write([Announced(None, "notice.served.v1", b"{}", "fees")] * 2)


def test_an_upstream_is_added_listed_moved_and_removed_with_what_it_is_owed(ledger_of: OnLedger, duly: Duly) -> None:
    assert duly("webhooks", "list")[1] == []
    assert duly("webhooks", "add", "fees", "https://old.example/")[1][0]["has_key"] is True
    assert duly("webhooks", "add", "fees", "https://up.example/", "--by", "A. Lewis")[0] == Exit.OK
    ledger_of(owe)
    [row] = duly("webhooks", "list")[1]
    kept = {name: row[name] for name in ("source", "url", "added_by", "keys", "owed", "failing", "delivered")}
    assert kept == {
        "source": "fees", "url": "https://up.example/", "added_by": "A. Lewis", "keys": 1, "owed": 2, "failing": 0,
        "delivered": 0,
    }  # fmt: skip
    assert duly("webhooks", "remove", "fees")[1] == [{"source": "fees", "forgotten": 2}]
    assert duly("webhooks", "remove", "fees")[0] == Exit.NO


def test_list_says_who_lacks_a_key(duly: Duly) -> None:
    told = duly("webhooks", "add", "caseworking", "https://up.example/")[1]
    assert told[0]["has_key"] is False
    assert duly("webhooks", "list")[1][0]["keys"] == 0
    code, _, err = duly("webhooks", "test", "caseworking")
    assert (code, "caseworking lacks a key" in err) == (Exit.USAGE, True)


@pytest.mark.parametrize(
    ("source", "url", "wrong"),
    [
        ("fees", "http://up.example/", "https://"), ("fees", "https://me:secret@up.example/", "no user"),
        ("nobody", "https://up.example/", "no source"),
    ],
)  # fmt: skip
def test_what_could_never_work_is_not_added(duly: Duly, source: str, url: str, wrong: str) -> None:
    code, _, err = duly("webhooks", "add", source, url)
    assert (code, wrong in err) == (Exit.USAGE, True)
    assert duly("webhooks", "list")[1] == []


def test_a_ping_is_signed_and_its_answer_is_shown(duly: Duly) -> None:
    assert duly("webhooks", "test", "fees")[0] == Exit.NO, "it is not told by webhook yet"
    with receiving_beside() as receiver:
        duly("webhooks", "add", "fees", receiver.url)
        receiver.answers = [answer(202), answer(500)]
        code, [told], _ = duly("webhooks", "test", "fees")
        assert (code, told["taken"], told["status"]) == (Exit.OK, True, 202)
        code, [told], _ = duly("webhooks", "test", "fees")
        assert (code, told["taken"], told["status"]) == (Exit.NO, False, 500)
        assert [got.event["type"] for got in receiver.got] == ["ping.sent.v1"] * 2
        assert all(got.verified_by(KEY) for got in receiver.got)
        assert receiver.got[0].headers["webhook-id"] == receiver.got[0].event["id"]
