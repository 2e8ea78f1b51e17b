from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from services.kernel.domain.holds import Hold, HoldKind, HoldRefused, lift, place

HOLD_ID = UUID("01938f5e-0000-7000-8000-000000000002")
AT = datetime(2026, 11, 22, 9, tzinfo=UTC)


def a_hold(kind: HoldKind = HoldKind.CONTESTED, at: datetime = AT) -> Hold:
    return place(HOLD_ID, kind, "asks what the fee is for", "Ann", at)


def test_a_hold_is_open_until_it_is_lifted() -> None:
    hold = a_hold()
    lifted = lift(hold, "answered", "Ben", AT + timedelta(days=1))
    assert hold.is_open
    assert not lifted.is_open
    assert (lifted.lifted_by, lifted.lift_reason, lifted.placed_by) == ("Ben", "answered", "Ann")


@pytest.mark.parametrize(("reason", "by"), [("", "Ann"), (" ", "Ann"), ("a reason", ""), ("a reason", " ")])
def test_a_hold_is_placed_and_lifted_by_name_with_a_reason(reason: str, by: str) -> None:
    with pytest.raises(HoldRefused):
        place(HOLD_ID, HoldKind.MANUAL, reason, by, AT)
    with pytest.raises(HoldRefused):
        lift(a_hold(), reason, by, AT)


def test_a_hold_is_lifted_once() -> None:
    lifted = lift(a_hold(), "answered", "Ben", AT)
    with pytest.raises(HoldRefused, match="Ben lifted this hold on 2026-11-22"):
        lift(lifted, "again", "Cid", AT)
