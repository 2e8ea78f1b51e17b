from datetime import timedelta

import pytest

from services.kernel.domain.deadline import Period
from services.kernel.domain.notice import Channel, Origin
from services.kernel.domain.regime import NoticeType, OutOfScope, Regime, SanctionKind, Satisfier, Source, check_scope

REGIME = Regime(
    name="aml-supervision",
    zone="Europe/London",
    country="GB",
    subdivision="ENG",
    purposes=frozenset({"fee-outstanding", "registration-update"}),
    service_rule={Channel.SECURE_COMM: "same_day", Channel.LETTER: "post_second_working_day"},
    default_period=Period(21),
)


def a_type(purpose: str = "fee-outstanding", **other: object) -> NoticeType:
    facts: dict[str, object] = {
        "name": "fee-outstanding",
        "purpose": purpose,
        "channels": frozenset({Channel.SECURE_COMM, Channel.FAX}),
        "origins": frozenset({Origin.AUTOMATIC}),
        "satisfied_by": frozenset({Satisfier.PAYMENT}),
        "sanction": "registration.cancel",
        "sanction_automatic": True,
        "template": "fee-outstanding",
    }
    return NoticeType(**(facts | other))


def test_a_purpose_that_the_regime_allows_is_in_scope() -> None:
    check_scope(REGIME, a_type(), Channel.SECURE_COMM)


@pytest.mark.parametrize(
    ("purpose", "channel", "says"),
    [
        ("compliance-intervention", Channel.SECURE_COMM, "allows only: fee-outstanding, registration-update"),
        ("fee-outstanding", Channel.LETTER, "may not go by letter; its channels: fax, secure_comm"),
        ("fee-outstanding", Channel.FAX, "no service rule for fax"),
    ],
)
def test_what_is_out_of_scope_is_refused_with_the_reason(purpose: str, channel: Channel, says: str) -> None:
    with pytest.raises(OutOfScope, match=says):
        check_scope(REGIME, a_type(purpose), channel)


def test_smtp_gives_up_after_72_hours_and_a_hold_leaves_7_days_by_default() -> None:
    assert REGIME.smtp_give_up_after == timedelta(hours=72)
    assert REGIME.minimum_after_hold == timedelta(days=7)


def test_a_type_uses_its_own_period_or_the_regimes() -> None:
    assert a_type().period_under(REGIME) == Period(21)
    assert a_type(period=Period(28)).period_under(REGIME) == Period(28)


@pytest.mark.parametrize(
    ("satisfied_by", "nothing"),
    [({Satisfier.NOTHING}, True), (set(), True), ({Satisfier.PAYMENT}, False), ({Satisfier.ANSWER}, False)],
)
def test_a_type_asks_for_nothing_only_if_nothing_satisfies_it(satisfied_by: set[Satisfier], nothing: bool) -> None:
    assert a_type(satisfied_by=frozenset(satisfied_by)).asks_for_nothing is nothing


def test_the_sanction_of_a_type_is_a_kind_or_none() -> None:
    assert a_type().sanction_kind == SanctionKind("registration.cancel", automatic=True)
    assert a_type(sanction=None).sanction_kind is None


@pytest.mark.parametrize(
    ("allowed", "approver", "may"),
    [
        (True, "anybody", True),
        (False, "head:ann", False),
        (frozenset({"head"}), "head:ann", True),
        (frozenset({"head"}), "head", True),
        (frozenset({"head"}), "headhunter:ann", False),
        (frozenset(), "head:ann", False),
    ],
)
def test_a_source_may_name_only_approvers_it_is_allowed_to(
    allowed: bool | frozenset[str], approver: str, may: bool
) -> None:
    source = Source("fees", frozenset({"fees-user"}), frozenset({"aml-supervision"}), allowed)
    assert source.may_name(approver) is may
