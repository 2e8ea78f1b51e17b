"""A trial database speaks to this machine alone."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from services.kernel.adapters.parts import refuse_outside
from services.kernel.ledger import Clock
from services.kernel.runtime.fault import Exit, Fault

NOW = datetime(2026, 11, 22, tzinfo=UTC)
HERE = ("amqp://guest:guest@127.0.0.1:5672//", "smtp://[::1]:25", "smtp://localhost:2525", None)
OUTSIDE = ("amqp://fees:secret@broker.example/", "smtps://user:secret@mail.example", "smtp://192.0.2.1:25")


@pytest.mark.parametrize("url", OUTSIDE)
def test_a_trial_refuses_an_address_outside_and_shows_no_secret(url: str) -> None:
    with pytest.raises(Fault) as refused:
        refuse_outside(Clock(NOW, NOW, trial=True), *HERE, url)
    assert refused.value.code is Exit.USAGE
    assert "secret" not in str(refused.value)


def test_a_trial_may_speak_to_this_machine() -> None:
    refuse_outside(Clock(NOW, NOW, trial=True), *HERE)


@pytest.mark.parametrize("url", OUTSIDE)
def test_a_database_in_earnest_may_reach_outside(url: str) -> None:
    refuse_outside(Clock(NOW, NOW, trial=False), url)
