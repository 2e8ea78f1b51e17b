"""`duly retention`, `duly subject`: legal holds, asking to erase, what is erased, all that is kept of a business."""

from __future__ import annotations

import json
import zipfile
from hashlib import sha256
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from services.kernel.adapters.postgres.ledger import PostgresLedger
from services.kernel.adapters.postgres.retention import PostgresErasing
from services.kernel.domain.notice import State
from services.kernel.runtime.fault import Exit
from services.kernel.runtime.measures import Measures
from services.relay.erasing import Eraser
from tests.cli.test_cli_answers import PARTS, given
from tests.handlers.bench import LIBRARY_HERE
from tests.rig.commands import Duly, OnLedger
from tests.rig.notices import IDS, Made, make

pytestmark = pytest.mark.usefixtures("ledger_of")
SEVEN_YEARS = 7 * 366
BUSINESS = "XAML00000100417"
WHO = ("--reason", "the tribunal asks", "--by", "A. Lewis")


async def old(ledger: PostgresLedger) -> Made:
    return await make(ledger, State.SATISFIED, days_ago=SEVEN_YEARS)


async def erased(ledger: PostgresLedger) -> None:
    """One round of relay's."""
    eraser = Eraser(PostgresErasing.beside(ledger, IDS), LIBRARY_HERE, Measures())
    with capture_logs():
        while await eraser.round():
            pass


async def look_now(ledger: PostgresLedger) -> None:
    await ledger.pool.execute("UPDATE retention SET look_again_at = legal_now()")


def test_a_legal_hold_keeps_content_until_it_is_lifted_by_name(ledger_of: OnLedger, duly: Duly) -> None:
    notice_id = ledger_of(old).notice_id
    code, [held], _ = duly("retention", "hold", "--notice", notice_id, *WHO)
    assert (code, held["notices"]) == (Exit.OK, 1)
    ledger_of(erased)
    code, [listed], _ = duly("retention", "list")
    assert (listed["notice_id"], listed["kept_for"], listed["due"]) == (str(notice_id), ["legal_hold"], False)
    assert [row["reason"] for row in duly("retention", "holds")[1]] == ["the tribunal asks"]
    hold = held["legal_hold_id"]
    assert duly("retention", "lift", hold[-8:], *WHO)[0] == Exit.OK
    code, _, said = duly("retention", "lift", hold, *WHO)
    assert code == Exit.NO
    assert "lifted this legal hold already" in said
    assert duly("retention", "holds")[1] == []
    ledger_of(look_now)
    ledger_of(erased)
    _, [told], _ = duly("notices", "show", notice_id)
    assert told["content_erased_at"]
    kinds = [fact["kind"] for fact in told["facts"]]
    assert kinds[-3:] == ["legal_hold.placed", "legal_hold.lifted", "content.erased"]
    assert duly("notices", "verify", "--all")[1] == [
        {"notices": 1, "facts": len(kinds), "roots": 0, "erased": 1, "ok": True, "faults": []}
    ]


@pytest.mark.parametrize("on", [("--business", BUSINESS), ("--matter", "aml-supervision:one")])
def test_a_legal_hold_is_on_all_of_a_business_or_a_matter(ledger_of: OnLedger, duly: Duly, on: tuple[str, ...]) -> None:
    async def two(ledger: PostgresLedger) -> None:
        for _ in range(2):
            await make(ledger, State.SATISFIED, days_ago=SEVEN_YEARS, matter="one")

    ledger_of(two)
    assert duly("retention", "hold", *on, *WHO)[1][0]["notices"] == 2
    ledger_of(erased)
    assert [row["kept_for"] for row in duly("retention", "list")[1]] == [["legal_hold"]] * 2


@pytest.mark.parametrize("on", [(), ("--business", "b", "--matter", "m:n"), ("--matter", "no-such-regime:m")])
def test_a_legal_hold_is_on_one_thing_that_can_be(duly: Duly, on: tuple[str, ...]) -> None:
    assert duly("retention", "hold", *on, *WHO)[0] == Exit.USAGE


def test_erasing_early_is_refused_with_every_reason_and_nothing_is_noted(ledger_of: OnLedger, duly: Duly) -> None:
    made = ledger_of(lambda ledger: make(ledger, State.SANCTIONED))
    duly("retention", "hold", "--notice", made.notice_id, *WHO)
    code, [told], _ = duly("retention", "erase", made.notice_id, *WHO)
    assert (code, told["may_erase"]) == (Exit.NO, False)
    assert {each["code"] for each in told["reasons"]} == {"legal_hold", "period_running", "appeal_open"}

    async def asked(ledger: PostgresLedger) -> object:
        return await ledger.pool.fetchval("SELECT count(*) FROM retention")

    assert ledger_of(asked) == 0


def test_a_rehearsal_says_what_would_be_answered(ledger_of: OnLedger, duly: Duly) -> None:
    made = ledger_of(old)
    code, [told], _ = duly("retention", "erase", made.notice_id, "--dry-run")
    assert (code, told["may_erase"], told["dry_run"]) == (Exit.OK, True, True)
    assert duly("retention", "erase", made.notice_id, *WHO)[0] == Exit.OK
    assert [row["asked_by"] for row in duly("retention", "list", "--due")[1]] == ["A. Lewis"]
    ledger_of(erased)
    _, [shown], _ = duly("notices", "show", made.notice_id)
    assert (shown["facts"][-1]["data"]["asked_by"], shown["facts"][-1]["data"]["reason"]) == (
        "A. Lewis",
        "the tribunal asks",
    )


def test_what_is_erased_and_not_told_is_found(ledger_of: OnLedger, duly: Duly) -> None:
    made = ledger_of(old)

    async def quietly(ledger: PostgresLedger) -> None:
        await ledger.pool.execute("ALTER TABLE notice_content DISABLE TRIGGER ALL")
        await ledger.pool.execute(
            "UPDATE notice_content SET request = '{}', subject = '', body_text = '', body_html = '', erased_at = now()"
        )

    ledger_of(quietly)
    code, [told], _ = duly("notices", "verify", made.notice_id)
    assert code == Exit.NO
    assert told["faults"][0]["fault"] == "its words are erased, and its evidence does not say so"


def test_an_answer_that_was_erased_says_so_when_it_is_asked_for(ledger_of: OnLedger, duly: Duly) -> None:
    evidence_id = ledger_of(given)

    async def long_ago(ledger: PostgresLedger) -> None:
        await ledger.pool.execute(
            "UPDATE raw_evidence SET state = 'processed', received_at = received_at - interval '8 years'"
        )
        await ledger.pool.execute(
            "UPDATE notice SET accepted_at = accepted_at - interval '8 years', state = 'satisfied', "
            "satisfied_at = now() - interval '8 years'"
        )

    ledger_of(long_ago)
    ledger_of(erased)
    code, _, said = duly("evidence", "show", evidence_id)
    assert code == Exit.NO
    assert "was erased on" in said
    assert "SHA-256" in said


# --- everything about a business --------------------------------------------------------------------------------------


def test_an_export_has_everything_with_its_hashes_and_the_same_bytes_for_the_same_state(
    ledger_of: OnLedger, duly: Duly, tmp_path: Path
) -> None:
    evidence_id = ledger_of(given)
    ledger_of(lambda ledger: make(ledger, State.SANCTIONED))
    ledger_of(lambda ledger: make(ledger, State.SERVED, business_id="another"))
    code, [told], _ = duly("subject", "export", BUSINESS, "--out", tmp_path / "one", *WHO)
    assert code == Exit.OK
    assert (told["counts"]["notices"], told["counts"]["files"], told["counts"]["evidence"]) == (2, 1, 1)
    assert duly("subject", "export", BUSINESS, "--out", tmp_path / "two", *WHO)[0] == Exit.OK
    one, two = (contents(tmp_path / name) for name in ("one", "two"))
    assert one == two
    manifest = json.loads(one.pop("manifest.json"))
    assert {each["path"]: each["sha256"] for each in manifest["files"]} == {
        name: sha256(data).hexdigest() for name, data in one.items()
    }
    assert b"".join(PARTS) in one.values()
    assert any(name.endswith(f"{evidence_id}.bin") for name in one)
    assert b"another" not in b"".join(one.values())
    assert b"../who.pdf.exe" in one["index.html"], "as the sender called it, escaped and leading nowhere"
    checked = tmp_path / "notice.jsonl"
    notices = [json.loads(data) for name, data in one.items() if name.endswith("/notice.json")]
    checked.write_text("\n".join(map(json.dumps, notices)))
    assert {each["ok"] for each in duly("notices", "verify", "--file", checked)[1]} == {True}


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_zip_has_the_same_and_is_reproducible_too(ledger_of: OnLedger, duly: Duly, tmp_path: Path) -> None:
    ledger_of(given)
    for name in ("a.zip", "b.zip", "folder"):
        assert duly("subject", "export", BUSINESS, "--out", tmp_path / name, *WHO)[0] == Exit.OK
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()
    for made in (tmp_path / "a.zip", tmp_path / "folder"):
        assert made.stat().st_mode & 0o077 == 0, "it is nobody else's to read on this machine"
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == contents(tmp_path / "folder")


def test_an_export_is_on_record_and_never_over_another(ledger_of: OnLedger, duly: Duly, tmp_path: Path) -> None:
    ledger_of(given)
    assert duly("subject", "export", BUSINESS, "--out", tmp_path / "one", *WHO)[0] == Exit.OK
    assert duly("subject", "export", BUSINESS, "--out", tmp_path / "one", *WHO)[0] == Exit.USAGE
    code, _, said = duly("subject", "export", "nobody", "--out", tmp_path / "none", *WHO)
    assert code == Exit.NO
    assert "nothing is kept" in said
    assert not (tmp_path / "none").exists()

    async def records(ledger: PostgresLedger) -> list[tuple[str, ...]]:
        rows = await ledger.pool.fetch("SELECT person, act, business_id, detail FROM access_record ORDER BY access_id")
        return [tuple(row.values()) for row in rows]

    assert ledger_of(records)[0] == ("A. Lewis", "subject.export", BUSINESS, "the tribunal asks")


def test_what_there_is_about_a_business_is_shown_with_when_it_goes(ledger_of: OnLedger, duly: Duly) -> None:
    made = ledger_of(old)
    ledger_of(erased)
    _, [told], _ = duly("subject", "show", BUSINESS)
    assert (told["counts"]["notices"], told["counts"]["erased"]) == (1, 1)
    assert told["notices"][0]["notice_id"] == str(made.notice_id)
    assert told["notices"][0]["erased_at"]
    assert duly("subject", "show", "nobody")[0] == Exit.NO
