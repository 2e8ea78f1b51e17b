"""The law of retention: nothing is erased early, nothing while the law may need it, and every reason is told."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as some

from services.kernel.domain.deadline import end_of_day
from services.kernel.domain.gate import Reason
from services.kernel.domain.notice import State
from services.kernel.domain.retention import Erase, Keep, Policy, RetentionFacts, Span, may_erase

ZONE = "Europe/London"
POLICY = Policy(Span(years=6), Span(days=30), "an act")
ENDED = datetime(2026, 3, 28, 23, 30, tzinfo=UTC)
LAST = date(2032, 3, 28)
FREE = RetentionFacts(now=end_of_day(LAST, ZONE), zone=ZONE, state=State.SATISFIED, ended_at=ENDED)
INSTANTS = some.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1), timezones=some.just(UTC))  # noqa: DTZ001
SPANS = some.one_of(some.builds(Span, years=some.integers(1, 20)), some.builds(Span, days=some.integers(1, 4000)))
STANDING = {
    "not_ended": {"ended_at": None, "state": State.SERVED},
    "matter_running": {"matter_running": ("another",)},
    "hold_open": {"waiting": (Reason("hold_open", "a hold is open"),)},
    "legal_hold": {"legal_holds": ("by A. Lewis",)},
}


def codes(facts: RetentionFacts, policy: Policy | None = POLICY) -> set[str]:
    verdict = may_erase(facts, policy)
    return {reason.code for reason in verdict.reasons} if isinstance(verdict, Keep) else set()


def test_it_is_kept_to_the_last_moment_of_the_corresponding_day_and_no_longer() -> None:
    assert may_erase(FREE, POLICY) == Erase(date(2026, 3, 28), LAST)
    early = replace(FREE, now=FREE.now - timedelta(microseconds=1))
    kept = may_erase(early, POLICY)
    assert isinstance(kept, Keep)
    assert (kept.look_again_at, kept.kept_until) == (FREE.now, LAST)


def test_the_day_of_the_end_is_the_local_one() -> None:
    """Half past eleven in London's summer is the day before in UTC."""
    night = replace(FREE, ended_at=datetime(2026, 6, 30, 23, 30, tzinfo=UTC), now=datetime(2032, 7, 1, 12, tzinfo=UTC))
    assert codes(night) == {"period_running"}, "it ended on 1 July there"


def test_a_leap_day_has_the_last_of_february_for_its_corresponding_day() -> None:
    assert Span(years=1).last_day(date(2028, 2, 29)) == date(2029, 2, 28)
    assert Span(years=4).last_day(date(2028, 2, 29)) == date(2032, 2, 29)


@pytest.mark.parametrize("span", [{}, {"years": 1, "days": 1}, {"days": -1}])
def test_a_period_is_some_years_or_some_days(span: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="some years, or some days"):
        Span(**span)


@pytest.mark.parametrize("code", STANDING)
def test_each_reason_alone_keeps_it_and_is_looked_at_again_within_a_day(code: str) -> None:
    facts = replace(FREE, **STANDING[code])
    verdict = may_erase(facts, POLICY)
    assert isinstance(verdict, Keep)
    assert [reason.code for reason in verdict.reasons] == [code]
    assert verdict.look_again_at == facts.now + timedelta(days=1)


def test_all_reasons_are_told_at_once() -> None:
    whole = replace(
        FREE, now=ENDED, matter_running=("x",), waiting=(Reason("unsent", "t"),), legal_holds=("l",),
        sanction_stands_since=ENDED, last_evidence_at=ENDED,
    )  # fmt: skip
    assert codes(whole) == {"matter_running", "unsent", "legal_hold", "period_running", "appeal_open", "late_evidence"}


def test_without_a_policy_nothing_is_ever_erased() -> None:
    assert codes(FREE, None) == {"no_policy"}


def test_the_period_counts_from_the_last_end_in_the_matter() -> None:
    assert codes(replace(FREE, matter_ended_at=ENDED + timedelta(days=400))) == {"period_running"}
    assert codes(replace(FREE, matter_ended_at=ENDED - timedelta(days=400))) == set()


def test_a_wish_to_erase_early_shortens_the_policy_alone_and_only_where_it_says_so() -> None:
    early = replace(FREE, now=ENDED + timedelta(days=60), asked=True)
    assert codes(early) == {"period_running"}, "this policy has nothing earlier"
    lenient = replace(POLICY, least=Span(days=31))
    assert codes(early, lenient) == set()
    assert codes(replace(early, asked=False), lenient) == {"period_running"}
    assert codes(replace(early, legal_holds=("l",)), lenient) == {"legal_hold"}
    assert codes(replace(early, sanction_stands_since=early.now), lenient) == {"appeal_open"}


FACTS = some.builds(
    RetentionFacts,
    now=INSTANTS,
    zone=some.sampled_from([ZONE, "America/Sao_Paulo", "Pacific/Auckland", "UTC"]),
    state=some.sampled_from(State),
    ended_at=some.none() | INSTANTS,
    matter_ended_at=some.none() | INSTANTS,
    matter_running=some.just(()) | some.just(("x",)),
    sanction_stands_since=some.none() | INSTANTS,
    last_evidence_at=some.none() | INSTANTS,
    waiting=some.just(()) | some.just((Reason("hold_open", "t"),)),
    legal_holds=some.just(()) | some.just(("l",)),
    asked=some.booleans(),
)


@given(FACTS, some.builds(Policy, SPANS, SPANS, some.just("c"), some.none() | SPANS))
def test_erasing_needs_every_fact_in_its_favour(facts: RetentionFacts, policy: Policy) -> None:
    verdict = may_erase(facts, policy)
    if isinstance(verdict, Keep):
        assert verdict.reasons
        assert verdict.look_again_at > facts.now, "or it would be looked at for ever"
        return
    assert facts.ended_at is not None
    assert (facts.matter_running, facts.waiting, facts.legal_holds) == ((), (), ())
    span = policy.least if facts.asked and policy.least else policy.content
    assert facts.now >= end_of_day(span.last_day(verdict.ended_on), facts.zone)
    for since in (facts.sanction_stands_since, facts.last_evidence_at):
        assert since is None or facts.now >= since + timedelta(days=1)


@given(FACTS, some.builds(Policy, SPANS, SPANS, some.just("c")))
def test_what_time_alone_stood_against_is_free_when_it_is_looked_at_again(
    facts: RetentionFacts, policy: Policy
) -> None:
    verdict = may_erase(facts, policy)
    times = {"period_running", "appeal_open", "late_evidence"}
    if isinstance(verdict, Keep) and {reason.code for reason in verdict.reasons} <= times:
        assert isinstance(may_erase(replace(facts, now=verdict.look_again_at), policy), Erase)
