"""What the inbox's pages show of a notice: its stage, its deadline in local time, what may be answered."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from schemas.messages.requests import ResponseGivenV1
from services.inbox.given import MOST_TEXT, envelope_of, plain_name, plain_text
from services.inbox.showing import due, may_give, stage
from services.inbox.showing import given as answer_given
from services.inbox.views import Stage
from services.kernel.adapters.web.forms import safe_path
from services.kernel.adapters.web.visits import preferred
from services.kernel.domain.notice import Channel, Origin, State
from services.kernel.domain.outage import INBOX_WAS_DOWN
from services.kernel.domain.regime import NoticeType, Satisfier
from services.kernel.ledger import Clock
from services.kernel.ledger.inbox import Answer, Listed

TEXT: TypeAdapter[str] = TypeAdapter(ResponseGivenV1.model_fields["text"].rebuild_annotation())
LONDON = ZoneInfo("Europe/London")
DUE_AT = datetime(2026, 3, 30, 23, tzinfo=UTC)  # the end of 30 March in British Summer Time
FEE = NoticeType(
    name="fee-outstanding", purpose="fee-outstanding", channels=frozenset(Channel), origins=frozenset(Origin),
    satisfied_by=frozenset({Satisfier.PAYMENT}), sanction="registration.cancel", sanction_automatic=True, template="x",
)  # fmt: skip
LISTED = Listed(
    notice_id=UUID(int=1), source_ref="fees/1", regime="aml", notice_type="fee-outstanding", state=State.SERVED,
    content_available_at=DUE_AT - timedelta(days=21), deadline_at=DUE_AT, subject="x", language="en",
    first_viewed_at=None, due_on=date(2026, 3, 30), due_at=DUE_AT, version=1, reason=None,
    now=DUE_AT - timedelta(days=2), held=False, looked_at=False,
)  # fmt: skip
BEFORE, AFTER = DUE_AT - timedelta(microseconds=1), DUE_AT


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({}, Stage.OPEN),
        ({"now": BEFORE}, Stage.OPEN),
        ({"now": AFTER}, Stage.OVERDUE),
        ({"state": State.LAPSED}, Stage.OVERDUE),
        ({"held": True}, Stage.UNDER_REVIEW),
        ({"state": State.LAPSED, "looked_at": True}, Stage.UNDER_REVIEW),
        ({"state": State.SATISFIED, "held": True}, Stage.ANSWERED),
        ({"state": State.SANCTIONED}, Stage.CONSEQUENCE),
        ({"state": State.SANCTIONED, "sanction": "fired"}, Stage.CONSEQUENCE),
        ({"state": State.SANCTIONED, "sanction": "upheld"}, Stage.CONSEQUENCE),
        ({"state": State.SANCTIONED, "sanction": "reversal_required"}, Stage.REVERSAL),
        ({"state": State.SANCTIONED, "sanction": "rescinded"}, Stage.UNDONE),
        ({"state": State.UNSERVED, "sanction": "rescinded"}, Stage.NOT_SERVED),
        ({"state": State.CLOSED}, Stage.CLOSED),
        ({"state": State.UNSERVED, "held": True}, Stage.NOT_SERVED),
        ({"state": State.WITHDRAWN}, Stage.WITHDRAWN),
        ({"state": State.RENDERED, "due_at": None, "due_on": None, "deadline_at": None}, Stage.OPEN),
    ],
)
def test_the_stage_is_what_the_reader_needs_to_know(changes: dict[str, object], found: Stage) -> None:
    assert stage(replace(LISTED, **changes), FEE) is found


def test_what_asks_for_nothing_is_for_information() -> None:
    asks_nothing = replace(FEE, satisfied_by=frozenset({Satisfier.NOTHING}), sanction=None)
    assert stage(replace(LISTED, due_at=None), asks_nothing) is Stage.FOR_INFORMATION


def test_the_deadline_is_shown_in_the_regimes_local_time_with_what_follows() -> None:
    shown = due(LISTED, FEE, LONDON)
    assert shown is not None
    assert shown.until.isoformat() == "2026-03-31T00:00:00+01:00", "the clocks went forward the day before"
    assert (shown.days_left, shown.passed, shown.follows, shown.extended) == (2, False, "registration.cancel", False)


def test_days_left_are_local_days_and_never_below_none() -> None:
    just_after_midnight = datetime(2026, 3, 29, 23, 30, tzinfo=UTC)  # 30 March, 00:30 in London
    last_day = due(replace(LISTED, now=just_after_midnight), FEE, LONDON)
    assert last_day is not None
    assert last_day.days_left == 0
    over = due(replace(LISTED, now=DUE_AT + timedelta(days=9)), FEE, LONDON)
    assert over is not None
    assert (over.days_left, over.passed) == (0, True)


def test_an_extension_is_shown_without_the_reason_in_the_file_and_a_shorter_period_is_none() -> None:
    assert due(replace(LISTED, reason="urgent"), FEE, LONDON).extended is False  # type: ignore[union-attr]
    extended = due(replace(LISTED, version=2, reason="ill"), FEE, LONDON)
    assert extended is not None
    assert extended.extended
    assert not extended.for_outage
    outage = due(replace(LISTED, version=2, reason=INBOX_WAS_DOWN), FEE, LONDON)
    assert outage is not None
    assert outage.for_outage


@pytest.mark.parametrize("state", [State.UNSERVED, State.WITHDRAWN])
def test_a_void_notice_has_no_deadline(state: State) -> None:
    listed = replace(LISTED, state=state)
    assert due(listed, FEE, LONDON) is None
    said = ResponseGivenV1(
        notice_id=listed.notice_id, business_id="B", kind="question", given_by="x", given_by_name="x", language="en"
    )
    body = envelope_of(said, UUID(int=2), Clock(DUE_AT, DUE_AT, False))
    assert answer_given(Answer(UUID(int=2), DUE_AT, body), listed, LONDON).in_time is None, (
        "there is nothing to be late for"
    )


def test_a_question_and_a_dispute_may_always_be_given_where_anything_has_an_effect() -> None:
    assert may_give(Stage.OPEN, FEE.satisfied_by) == ("question", "dispute"), "a payment is not made here"
    asked = frozenset({Satisfier.EVIDENCE, Satisfier.ANSWER, Satisfier.CONFIRMATION})
    assert may_give(Stage.OVERDUE, asked) == ("answer", "evidence", "confirmation", "question", "dispute")
    assert may_give(Stage.CONSEQUENCE, FEE.satisfied_by) == ("question", "dispute")
    assert may_give(Stage.UNDONE, asked) == ("question", "dispute"), "what it asked for was received"
    for ended in (Stage.ANSWERED, Stage.CLOSED, Stage.NOT_SERVED, Stage.WITHDRAWN):
        assert may_give(ended, asked) == ()


@given(st.text())
def test_any_name_of_a_file_becomes_one_plain_line_without_folders(name: str) -> None:
    shown = plain_name(name)
    assert 1 <= len(shown) <= 150
    assert "/" not in shown
    assert "\\" not in shown
    assert not any(ord(mark) < 32 or 0x202A <= ord(mark) <= 0x202E for mark in shown)


def test_a_long_name_keeps_its_extension() -> None:
    assert plain_name("x" * 300 + ".pdf").endswith("….pdf")
    assert plain_name("C:\\Users\\ann\\passport.pdf") == "passport.pdf"


@given(st.text(max_size=MOST_TEXT))
def test_any_words_become_text_that_the_kept_message_may_hold(text: str) -> None:
    kept = plain_text(text.encode(errors="replace").decode())
    assert TEXT.validate_python(kept) == kept


@pytest.mark.parametrize(
    ("accepted", "language"),
    [("cy-GB,cy;q=0.9,en;q=0.8", "cy"), ("de,cy;q=0.5", "cy"), ("de", "en"), ("", "en"), (",;,=" * 50, "en")],
)
def test_the_browsers_language_is_taken_where_there_is_one(accepted: str, language: str) -> None:
    assert preferred(accepted, ("en", "cy")) == language


@given(st.text())
def test_a_path_to_go_to_is_always_one_of_this_site(text: str) -> None:
    path = safe_path(text)
    assert path.startswith("/")
    assert not path.startswith(("//", "/\\"))
