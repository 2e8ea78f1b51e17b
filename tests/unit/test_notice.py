from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product
from uuid import UUID

import pytest

from services.kernel.domain.chain import GENESIS
from services.kernel.domain.notice import (
    TABLE,
    TERMINAL,
    Arrow,
    Channel,
    Event,
    ForbiddenMove,
    Notice,
    Origin,
    Refusal,
    State,
    is_over,
    move,
)

NOTICE_ID = UUID("01938f5e-0000-7000-8000-000000000001")
ACCEPTED_AT = datetime(2026, 11, 2, 9, tzinfo=UTC)
AT = datetime(2026, 11, 22, 9, tzinfo=UTC)

ARROWS = {
    (State.ACCEPTED, Event.RENDER): State.RENDERED,
    (State.ACCEPTED, Event.WITHDRAW): State.WITHDRAWN,
    (State.RENDERED, Event.SERVE): State.SERVED,
    (State.RENDERED, Event.FAIL): State.UNSERVED,
    (State.RENDERED, Event.WITHDRAW): State.WITHDRAWN,
    (State.SERVED, Event.SATISFY): State.SATISFIED,
    (State.SERVED, Event.LAPSE): State.LAPSED,
    (State.SERVED, Event.FAIL): State.UNSERVED,
    (State.SERVED, Event.WITHDRAW): State.WITHDRAWN,
    (State.SATISFIED, Event.WITHDRAW): State.WITHDRAWN,
    (State.LAPSED, Event.SATISFY): State.SATISFIED,
    (State.LAPSED, Event.CLOSE): State.CLOSED,
    (State.LAPSED, Event.SANCTION): State.SANCTIONED,
    (State.LAPSED, Event.FAIL): State.UNSERVED,
    (State.LAPSED, Event.WITHDRAW): State.WITHDRAWN,
    (State.SANCTIONED, Event.RESCIND): State.UNSERVED,
}


def a_notice(state: State = State.ACCEPTED) -> Notice:
    return Notice(
        notice_id=NOTICE_ID,
        source="fees",
        source_ref="F-1",
        data_hash=b"d" * 32,
        regime="aml-supervision",
        notice_type="fee-outstanding",
        matter="M-1",
        business_id="B-1",
        channel=Channel.SECURE_COMM,
        origin=Origin.AUTOMATIC,
        language="en",
        address="owner@example.org",
        template_version="fee-outstanding/1",
        template_hash=b"t" * 32,
        trial=False,
        state=state,
        seq=0,
        chain_head=GENESIS(NOTICE_ID),
        accepted_at=ACCEPTED_AT,
    )


@pytest.mark.parametrize(("state", "event"), list(product(State, Event)))
def test_every_state_meets_every_event_by_the_table(state: State, event: Event) -> None:
    notice = a_notice(state)
    if (state, event) in ARROWS:
        to = ARROWS[state, event]
        assert move(notice, event, AT) == replace(notice, state=to, **{f"{to}_at": AT})
    else:
        with pytest.raises(ForbiddenMove) as refused:
            move(notice, event, AT)
        assert (refused.value.state, refused.value.event) == (state, event)
        assert refused.value.reason


def test_the_table_has_every_pair_with_a_reason_and_nothing_else() -> None:
    assert set(TABLE) == set(product(State, Event))
    assert all(found.reason.strip() for found in TABLE.values())
    assert {pair: found.to for pair, found in TABLE.items() if isinstance(found, Arrow)} == ARROWS


def test_nothing_leads_back_to_an_earlier_state_or_out_of_unserved() -> None:
    order = [State.ACCEPTED, State.RENDERED, State.SERVED, State.LAPSED]
    for (state, _), to in ARROWS.items():
        if state in order and to in order:
            assert order.index(to) > order.index(state)
    assert all(isinstance(TABLE[State.UNSERVED, event], Refusal) for event in Event)


def test_what_is_terminal_has_no_way_on_but_withdrawal_and_rescission() -> None:
    leaving = {(state, event) for state, event in ARROWS if state in TERMINAL}
    assert leaving == {(State.SATISFIED, Event.WITHDRAW), (State.SANCTIONED, Event.RESCIND)}
    assert all(isinstance(TABLE[state, Event.SANCTION], Refusal) for state in State if state is not State.LAPSED)


def test_a_failure_after_a_sanction_never_moves_the_notice() -> None:
    assert TABLE[State.SANCTIONED, Event.FAIL] == Refusal("a sanction stands: demand a reversal")


def test_earlier_instants_stay_when_a_notice_moves_on() -> None:
    served = replace(a_notice(State.SERVED), served_at=ACCEPTED_AT)
    unserved = move(move(served, Event.LAPSE, AT), Event.FAIL, AT + timedelta(days=1))
    assert (unserved.served_at, unserved.lapsed_at) == (ACCEPTED_AT, AT)
    assert unserved.unserved_at == AT + timedelta(days=1)


def test_served_is_the_end_only_for_what_asks_for_nothing() -> None:
    assert is_over(State.SERVED, asks_for_nothing=True)
    assert not is_over(State.SERVED, asks_for_nothing=False)
    assert not is_over(State.RENDERED, asks_for_nothing=True)
    assert all(is_over(state, asks_for_nothing=False) for state in TERMINAL)
