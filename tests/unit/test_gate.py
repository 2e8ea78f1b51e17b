from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.kernel.domain.gate import Block, Fire, GateFacts, Wait, gate
from services.kernel.domain.holds import HoldKind
from services.kernel.domain.notice import TERMINAL, State

NOW = datetime(2026, 12, 1, 12, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
READY = GateFacts(
    now=NOW,
    state=State.LAPSED,
    current_version=1,
    asked_version=1,
    deadline_at=NOW - 3 * DAY,
    safety_delay=DAY,
    satisfied=False,
    open_holds=(),
    last_hold_lifted_at=NOW - 7 * DAY,
    minimum_after_hold=7 * DAY,
    proposed_at=NOW - 2 * DAY,
    objection_window=DAY,
    objected=False,
    waiting_evidence=(),
    blocked_source=False,
    marks_committed_through=NOW - 3 * DAY,
    stop_switch=False,
    cap_per_hour=10,
    fired_last_hour=9,
    automatic=False,
    decided_by="Ann",
    approved_by="Ben",
    effective_sanction_in_matter=False,
    undecided_reversal_in_matter=False,
    declined=None,
    released=False,
)

BLOCKS: dict[str, dict[str, object]] = {
    "state_ended": {"state": State.UNSERVED},
    "stale_version": {"current_version": 2},
    "satisfied": {"satisfied": True},
    "matter_sanctioned": {"effective_sanction_in_matter": True},
    "declined": {"declined": "Ann: not proportionate"},
}
TIMED: dict[str, tuple[dict[str, object], datetime]] = {
    "deadline_ahead": ({"deadline_at": NOW + HOUR, "marks_committed_through": NOW + HOUR}, NOW + HOUR + DAY),
    "safety_delay": ({"safety_delay": 3 * DAY + HOUR}, NOW + HOUR),
    "after_hold": ({"last_hold_lifted_at": NOW - 6 * DAY}, NOW + DAY),
    "objection_window": ({"proposed_at": NOW - HOUR}, NOW + 23 * HOUR),
    "cap_reached": ({"fired_last_hour": 10}, NOW + HOUR / 10),
}
UNTIMED: dict[str, dict[str, object]] = {
    "not_lapsed": {"state": State.SERVED},
    "no_deadline": {"deadline_at": None},
    "hold_open": {"open_holds": (HoldKind.CONTESTED,)},
    "objected": {"objected": True},
    "not_proposed": {"proposed_at": None},
    "evidence_waiting": {"waiting_evidence": ("a bounce in retry",)},
    "source_blocked": {"blocked_source": True},
    "mark_missing": {"marks_committed_through": NOW - 3 * DAY - timedelta(microseconds=1)},
    "stopped": {"stop_switch": True},
    "not_decided": {"decided_by": None},
    "not_approved": {"approved_by": None},
    "same_person": {"approved_by": "Ann"},
    "reversal_undecided": {"undecided_reversal_in_matter": True},
}
CHANGES = BLOCKS | {code: change for code, (change, _) in TIMED.items()} | UNTIMED


def codes(found: Fire | Wait | Block) -> set[str]:
    return {reason.code for reason in found.reasons}


def test_it_fires_when_nothing_stands_against_it() -> None:
    assert gate(READY) == Fire()


@pytest.mark.parametrize("code", BLOCKS)
def test_what_no_waiting_can_mend_blocks(code: str) -> None:
    found = gate(replace(READY, **BLOCKS[code]))
    assert isinstance(found, Block)
    assert codes(found) == {code}


@pytest.mark.parametrize("code", UNTIMED)
def test_what_only_a_fact_can_unblock_waits_without_an_instant(code: str) -> None:
    found = gate(replace(READY, **UNTIMED[code]))
    assert isinstance(found, Wait)
    assert codes(found) == {code}
    assert found.look_again_at is None


@pytest.mark.parametrize("code", TIMED)
def test_what_time_unblocks_waits_until_then(code: str) -> None:
    change, until = TIMED[code]
    found = gate(replace(READY, **change))
    assert isinstance(found, Wait)
    assert codes(found) == {code}
    assert found.look_again_at == until


@pytest.mark.parametrize("code", sorted(TIMED.keys() - {"cap_reached"}))
def test_at_the_instant_named_that_reason_is_gone(code: str) -> None:
    change, until = TIMED[code]
    assert gate(replace(READY, **change, now=until)) == Fire()


def test_the_deadline_instant_itself_is_past_and_a_microsecond_before_is_not() -> None:
    due_now = replace(READY, deadline_at=NOW, marks_committed_through=NOW, last_hold_lifted_at=None)
    assert codes(gate(due_now)) == {"safety_delay"}
    assert gate(replace(due_now, safety_delay=timedelta(0))) == Fire()
    early = replace(due_now, safety_delay=timedelta(0), now=NOW - timedelta(microseconds=1))
    assert codes(gate(early)) == {"deadline_ahead"}


PAIRS = [(one, other) for one, other in combinations(CHANGES, 2) if not CHANGES[one].keys() & CHANGES[other].keys()]


@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_two_reasons_are_both_reported(one: str, other: str) -> None:
    found = gate(replace(READY, **CHANGES[one], **CHANGES[other]))
    expected = {one, other}
    if expected == {"deadline_ahead", "safety_delay"} or expected >= {"no_deadline", "safety_delay"}:
        expected -= {"safety_delay"}  # the delay runs from a deadline that has passed
    if expected >= {"no_deadline", "mark_missing"}:
        expected -= {"mark_missing"}  # nothing to be complete to
    if expected >= {"not_decided", "same_person"}:
        expected -= {"same_person"}  # nobody to be the same as
    assert codes(found) == expected
    assert isinstance(found, Block if expected & BLOCKS.keys() else Wait)


@pytest.mark.parametrize("state", list(State))
def test_only_a_lapsed_notice_is_sanctioned(state: State) -> None:
    found = gate(replace(READY, state=state))
    expected = Fire if state is State.LAPSED else Block if state in TERMINAL else Wait
    assert type(found) is expected


def test_every_open_hold_and_every_waiting_piece_is_its_own_reason() -> None:
    holds = (HoldKind.CONTESTED, HoldKind.MANUAL)
    found = gate(replace(READY, open_holds=holds, waiting_evidence=("bounce 1", "payment 2", "reply 3")))
    texts = [reason.text for reason in found.reasons]
    assert texts == ["a hold is open: contested", "a hold is open: manual", "bounce 1", "payment 2", "reply 3"]


def test_it_looks_again_at_the_latest_of_the_known_instants() -> None:
    found = gate(replace(READY, last_hold_lifted_at=NOW - 6 * DAY, proposed_at=NOW - HOUR, stop_switch=True))
    assert isinstance(found, Wait)
    assert found.look_again_at == NOW + DAY


def test_automatic_kinds_need_nobody() -> None:
    assert gate(replace(READY, automatic=True, decided_by=None, approved_by=None)) == Fire()


def test_who_decided_may_not_approve_under_another_name() -> None:
    facts = replace(READY, automatic=False, decided_by="Ann Price [a7c1]", approved_by="Annie P. [a7c1]")
    assert codes(gate(facts)) == {"same_person"}


def test_a_deadline_never_counted_is_a_stale_proposal() -> None:
    assert codes(gate(replace(READY, current_version=None))) == {"stale_version"}


@pytest.mark.parametrize(("cap", "fired", "fires"), [(None, 10_000, True), (0, 0, False), (1, 0, True), (1, 1, False)])
def test_the_cap_counts_the_last_hour(cap: int | None, fired: int, fires: bool) -> None:
    assert (gate(replace(READY, cap_per_hour=cap, fired_last_hour=fired)) == Fire()) is fires


@pytest.mark.parametrize("code", sorted(CHANGES))
def test_a_release_takes_away_the_brake_and_nothing_else(code: str) -> None:
    held = replace(READY, stop_switch=True, fired_last_hour=10, released=True)
    assert gate(held) == Fire()
    expected = {code} - {"stopped", "cap_reached"}
    assert codes(gate(replace(held, **CHANGES[code]))) == expected


def test_a_declined_sanction_is_dropped_with_the_word_against_it_even_when_it_was_released() -> None:
    found = gate(replace(READY, declined="Ann Green: not proportionate", released=True, open_holds=(HoldKind.MANUAL,)))
    assert isinstance(found, Block)
    assert [reason.text for reason in found.reasons] == [
        "declined by Ann Green: not proportionate",
        "a hold is open: manual",
    ]


AROUND_NOW = st.integers(-200, 200).map(lambda hours: NOW + timedelta(hours=hours))
FACTS = st.builds(
    GateFacts,
    now=st.just(NOW),
    state=st.sampled_from([State.LAPSED, State.LAPSED, State.LAPSED, *State]),
    current_version=st.sampled_from([1, 1, 1, 2, None]),
    asked_version=st.just(1),
    deadline_at=st.none() | AROUND_NOW,
    safety_delay=st.sampled_from([timedelta(0), DAY]),
    satisfied=st.booleans(),
    open_holds=st.sampled_from([(), (), (HoldKind.MANUAL,)]),
    last_hold_lifted_at=st.none() | AROUND_NOW,
    minimum_after_hold=st.sampled_from([timedelta(0), 7 * DAY]),
    proposed_at=st.none() | AROUND_NOW,
    objection_window=st.sampled_from([timedelta(0), DAY]),
    objected=st.booleans(),
    waiting_evidence=st.sampled_from([(), (), ("a bounce",)]),
    blocked_source=st.booleans(),
    marks_committed_through=st.none() | AROUND_NOW,
    stop_switch=st.booleans(),
    cap_per_hour=st.none() | st.integers(0, 3),
    fired_last_hour=st.integers(0, 3),
    automatic=st.booleans(),
    decided_by=st.sampled_from([None, "Ann", "Ben"]),
    approved_by=st.sampled_from([None, "Ann", "Ben"]),
    effective_sanction_in_matter=st.booleans(),
    undecided_reversal_in_matter=st.booleans(),
    declined=st.sampled_from([None, None, None, "Ann: no"]),
    released=st.booleans(),
)


def nothing_applies(facts: GateFacts) -> bool:
    """The law said again, the other way round: what must hold for a sanction to fire."""
    return (
        facts.state is State.LAPSED
        and facts.current_version == facts.asked_version
        and facts.deadline_at is not None
        and facts.now >= facts.deadline_at
        and facts.now - facts.deadline_at >= facts.safety_delay
        and not facts.satisfied
        and not facts.open_holds
        and (facts.last_hold_lifted_at is None or facts.now - facts.last_hold_lifted_at >= facts.minimum_after_hold)
        and facts.proposed_at is not None
        and facts.now - facts.proposed_at >= facts.objection_window
        and not facts.objected
        and not facts.waiting_evidence
        and not facts.blocked_source
        and facts.marks_committed_through is not None
        and facts.marks_committed_through >= facts.deadline_at
        and (facts.released or not facts.stop_switch)
        and (facts.released or facts.cap_per_hour is None or facts.fired_last_hour < facts.cap_per_hour)
        and facts.declined is None
        and (facts.automatic or (None not in {facts.decided_by, facts.approved_by}))
        and (facts.automatic or facts.decided_by != facts.approved_by)
        and not facts.effective_sanction_in_matter
        and not facts.undecided_reversal_in_matter
    )


@given(FACTS, st.sets(st.sampled_from(sorted(READY.__slots__))))
def test_it_fires_exactly_when_nothing_applies(facts: GateFacts, kept: set[str]) -> None:
    mixed = replace(READY, **{name: getattr(facts, name) for name in kept})
    found = gate(mixed)
    assert (found == Fire()) == nothing_applies(mixed)
    assert bool(found.reasons) != isinstance(found, Fire)
    if isinstance(found, Wait) and found.look_again_at is not None:
        assert found.look_again_at > mixed.now
    assert isinstance(found, Block) == bool(codes(found) & BLOCKS.keys())
