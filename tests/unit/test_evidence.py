from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.kernel.domain.evidence import (
    AttemptKind,
    BounceFacts,
    DemandReversal,
    Effect,
    MatchedBy,
    Park,
    PlaceHold,
    RecordOnly,
    Unserve,
    Verdict,
    effect_of_bounce,
)
from services.kernel.domain.holds import HoldKind
from services.kernel.domain.notice import State

ADDRESS = "owner@example.org"
FINAL = BounceFacts(
    verdict=Verdict.FINAL,
    failed=frozenset({ADDRESS}),
    address=ADDRESS,
    matched_by=MatchedBy.TOKEN,
    attempt_kind=AttemptKind.ALERT,
    opened=False,
    verified=True,
    state=State.SERVED,
)
DOUBTS = {
    "unclear": {"verdict": Verdict.UNCLEAR},
    "of a reminder": {"attempt_kind": AttemptKind.REMINDER},
    "after opening": {"opened": True},
    "of another address": {"failed": frozenset({"elsewhere@example.net"})},
    "of no address": {"failed": frozenset()},
    "matched by address only": {"matched_by": MatchedBy.ADDRESS, "verified": False},
}
FAILABLE = [State.RENDERED, State.SERVED, State.LAPSED]
NOT_EVIDENCE = [Verdict.DELAYED, Verdict.AUTO_REPLY, Verdict.COMPLAINT, Verdict.DELIVERED, Verdict.OTHER]


@pytest.mark.parametrize(
    ("state", "effect"),
    [
        (None, Park),
        (State.ACCEPTED, Park),
        (State.RENDERED, Unserve),
        (State.SERVED, Unserve),
        (State.LAPSED, Unserve),
        (State.SANCTIONED, DemandReversal),
        (State.SATISFIED, RecordOnly),
        (State.CLOSED, RecordOnly),
        (State.UNSERVED, RecordOnly),
        (State.WITHDRAWN, RecordOnly),
    ],
)
def test_final_evidence_does_what_the_state_allows(state: State | None, effect: type[Effect]) -> None:
    found = effect_of_bounce(replace(FINAL, state=state))
    assert type(found) is effect
    assert found.reason


@pytest.mark.parametrize(("verdict", "state"), list(product(NOT_EVIDENCE, State)))
def test_what_is_not_evidence_is_recorded_only(verdict: Verdict, state: State) -> None:
    assert isinstance(effect_of_bounce(replace(FINAL, verdict=verdict, state=state)), RecordOnly)


@pytest.mark.parametrize(("doubt", "state"), list(product(DOUBTS, [*FAILABLE, State.SANCTIONED])))
def test_doubtful_evidence_places_a_hold_and_decides_nothing(doubt: str, state: State) -> None:
    found = effect_of_bounce(replace(FINAL, state=state, **DOUBTS[doubt]))
    assert isinstance(found, PlaceHold)
    assert found.kind is HoldKind.DELIVERY_DOUBT


@pytest.mark.parametrize("doubt", DOUBTS)
def test_a_doubt_about_what_has_ended_is_recorded_only(doubt: str) -> None:
    assert isinstance(effect_of_bounce(replace(FINAL, state=State.UNSERVED, **DOUBTS[doubt])), RecordOnly)


def test_a_report_that_names_others_beside_our_address_is_final_for_ours() -> None:
    found = effect_of_bounce(replace(FINAL, failed=frozenset({ADDRESS, "other@example.org"})))
    assert isinstance(found, Unserve)


@given(
    st.builds(
        BounceFacts,
        verdict=st.sampled_from(Verdict),
        failed=st.sets(st.sampled_from([ADDRESS, "b@c.de"])).map(frozenset),
        address=st.just(ADDRESS),
        matched_by=st.sampled_from(MatchedBy),
        attempt_kind=st.sampled_from(AttemptKind),
        opened=st.booleans(),
        verified=st.booleans(),
        state=st.none() | st.sampled_from(State),
    ),
)
def test_only_final_verified_evidence_of_the_unopened_alert_to_our_address_decides(facts: BounceFacts) -> None:
    found = effect_of_bounce(facts)
    certain = facts.verdict is Verdict.FINAL and facts.verified and not facts.opened and ADDRESS in facts.failed
    certain = certain and facts.attempt_kind is AttemptKind.ALERT
    assert isinstance(found, Unserve) == (certain and facts.state in FAILABLE)
    assert isinstance(found, DemandReversal) == (certain and facts.state is State.SANCTIONED)


def test_the_verdicts_are_the_words_of_the_command_line() -> None:
    words = "final delayed auto-reply complaint delivered unclear other"
    assert [verdict.value for verdict in Verdict] == words.split()
