from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.kernel.domain.evidence import DemandReversal, Park, PlaceHold, RecordOnly
from services.kernel.domain.holds import HoldKind
from services.kernel.domain.notice import State
from services.kernel.domain.regime import Satisfier
from services.kernel.domain.satisfaction import (
    ReportLate,
    ResponseFacts,
    ResponseKind,
    Satisfy,
    Withdraw,
    effect_of_response,
)

DEADLINE = datetime(2026, 11, 22, tzinfo=UTC)
EARLY, LATE = DEADLINE - timedelta(microseconds=1), DEADLINE
PAID = ResponseFacts(
    kind=ResponseKind.PAYMENT,
    received_at=EARLY,
    vouched_received_at=None,
    source_may_vouch=False,
    deadline_at=DEADLINE,
    state=State.SERVED,
    satisfied_by=frozenset({Satisfier.PAYMENT}),
    sanction_stands=False,
)
RUNNING = [State.SERVED, State.LAPSED]


@pytest.mark.parametrize("state", RUNNING)
def test_what_was_asked_in_time_satisfies_however_late_it_is_processed(state: State) -> None:
    assert effect_of_response(replace(PAID, state=state)) == Satisfy(EARLY, "payment received in time")


@pytest.mark.parametrize("state", RUNNING)
def test_the_deadline_instant_itself_is_late_and_places_a_hold(state: State) -> None:
    found = effect_of_response(replace(PAID, state=state, received_at=LATE))
    assert isinstance(found, PlaceHold)
    assert found.kind is HoldKind.LATE_RESPONSE


OTHER_KINDS = [ResponseKind.QUESTION, ResponseKind.DISPUTE, ResponseKind.ANSWER, ResponseKind.EVIDENCE]


@pytest.mark.parametrize(("kind", "state"), list(product(OTHER_KINDS, RUNNING)))
def test_any_other_timely_response_is_contested(kind: ResponseKind, state: State) -> None:
    found = effect_of_response(replace(PAID, kind=kind, state=state))
    assert isinstance(found, PlaceHold)
    assert found.kind is HoldKind.CONTESTED


@pytest.mark.parametrize(("received_at", "state"), list(product([EARLY, LATE], RUNNING)))
def test_an_objection_holds_whenever_it_comes(received_at: datetime, state: State) -> None:
    found = effect_of_response(replace(PAID, kind=ResponseKind.OBJECTION, received_at=received_at, state=state))
    assert isinstance(found, PlaceHold)
    assert found.kind is HoldKind.OBJECTION


@pytest.mark.parametrize("state", [State.ACCEPTED, State.RENDERED])
def test_a_response_before_service_is_parked(state: State) -> None:
    assert isinstance(effect_of_response(replace(PAID, state=state)), Park)


@pytest.mark.parametrize("state", [State.SATISFIED, State.CLOSED, State.UNSERVED, State.WITHDRAWN])
def test_a_response_to_what_has_ended_is_recorded_only(state: State) -> None:
    assert isinstance(effect_of_response(replace(PAID, state=state)), RecordOnly)


@pytest.mark.parametrize(
    ("kind", "received_at", "effect"),
    [
        (ResponseKind.PAYMENT, EARLY, DemandReversal),
        (ResponseKind.PAYMENT, LATE, ReportLate),
        (ResponseKind.QUESTION, EARLY, ReportLate),
        (ResponseKind.OBJECTION, EARLY, ReportLate),
        (ResponseKind.WITHDRAWAL, EARLY, ReportLate),
    ],
)
def test_after_the_sanction_a_person_hears_of_it(kind: ResponseKind, received_at: datetime, effect: type) -> None:
    facts = replace(PAID, kind=kind, received_at=received_at, state=State.SANCTIONED, sanction_stands=True)
    assert type(effect_of_response(facts)) is effect


@pytest.mark.parametrize(
    ("vouched", "may", "satisfies"),
    [(EARLY, True, True), (EARLY, False, False), (None, True, False), (LATE + timedelta(days=1), True, False)],
)
def test_an_earlier_time_counts_only_if_the_source_may_vouch(
    vouched: datetime | None, may: bool, satisfies: bool
) -> None:
    facts = replace(PAID, received_at=LATE, vouched_received_at=vouched, source_may_vouch=may)
    assert isinstance(effect_of_response(facts), Satisfy) is satisfies


def test_a_vouched_time_never_makes_a_response_later() -> None:
    facts = replace(PAID, vouched_received_at=LATE, source_may_vouch=True)
    assert effect_of_response(facts) == Satisfy(EARLY, "payment received in time")


def test_without_a_deadline_everything_is_in_time() -> None:
    assert isinstance(effect_of_response(replace(PAID, deadline_at=None)), Satisfy)


def test_what_asks_for_nothing_only_records_what_comes() -> None:
    facts = replace(PAID, satisfied_by=frozenset({Satisfier.NOTHING}), deadline_at=None)
    assert isinstance(effect_of_response(facts), RecordOnly)


@pytest.mark.parametrize("kind", [ResponseKind.QUESTION, ResponseKind.DISPUTE])
def test_who_asks_about_a_notice_that_asks_for_nothing_is_owed_a_person(kind: ResponseKind) -> None:
    facts = replace(PAID, kind=kind, satisfied_by=frozenset({Satisfier.NOTHING}), deadline_at=None)
    found = effect_of_response(facts)
    assert isinstance(found, PlaceHold)
    assert found.kind is HoldKind.CONTESTED


WITHDRAWABLE = {State.ACCEPTED, State.RENDERED, State.SERVED, State.SATISFIED, State.LAPSED}


@pytest.mark.parametrize("state", [state for state in State if state is not State.SANCTIONED])
def test_upstream_withdraws_from_any_state_before_the_end(state: State) -> None:
    found = effect_of_response(replace(PAID, kind=ResponseKind.WITHDRAWAL, state=state))
    assert isinstance(found, Withdraw if state in WITHDRAWABLE else RecordOnly)


INSTANTS = st.integers(-100, 100).map(lambda hours: DEADLINE + timedelta(hours=hours))


@given(
    st.builds(
        ResponseFacts,
        kind=st.sampled_from(ResponseKind),
        received_at=INSTANTS,
        vouched_received_at=st.none() | INSTANTS,
        source_may_vouch=st.booleans(),
        deadline_at=st.just(DEADLINE),
        state=st.sampled_from(State),
        satisfied_by=st.sets(st.sampled_from(Satisfier)).map(frozenset),
        sanction_stands=st.booleans(),
    ),
)
def test_only_what_was_asked_and_came_in_time_satisfies(facts: ResponseFacts) -> None:
    found = effect_of_response(facts)
    asked_and_in_time = facts.is_what_was_asked and facts.in_time
    stands = facts.sanction_stands or facts.state is State.SANCTIONED
    assert isinstance(found, Satisfy) == (asked_and_in_time and not stands and facts.state in RUNNING)
    assert isinstance(found, DemandReversal) == (asked_and_in_time and stands)
