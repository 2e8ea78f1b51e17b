from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.kernel.domain.replies import (
    BrakeRule,
    Phase,
    SendOutcome,
    SendVerdict,
    brake_trips,
    judge_reply,
    next_try,
)

REFUSED, OURS, LATER = SendVerdict.RECIPIENT_REFUSED, SendVerdict.OURS, SendVerdict.TRY_LATER
UNKNOWN, ACCEPTED = SendVerdict.UNKNOWN, SendVerdict.ACCEPTED
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)

CASES = [
    ("after_data", 250, "2.0.0", "queued as 4F3A", ACCEPTED),
    ("done", 250, "", "bye", ACCEPTED),
    # no reply
    *[(phase, None, "", "", LATER) for phase in ("connect", "ehlo", "starttls", "auth", "mail", "rcpt", "data")],
    ("after_data", None, "", "", UNKNOWN),
    ("after_data", 354, "", "go ahead", UNKNOWN),
    ("done", None, "", "", UNKNOWN),
    ("done", 550, "5.1.1", "after the end", UNKNOWN),
    # transient
    ("rcpt", 450, "4.2.1", "greylisted", LATER),
    ("rcpt", 452, "4.2.2", "mailbox full", LATER),
    ("after_data", 451, "4.3.0", "local error", LATER),
    ("connect", 421, "", "too busy", LATER),
    ("data", 250, "", "the dialogue was broken off by us", LATER),
    # before any recipient: ours, whatever it says
    ("connect", 554, "5.7.1", "no SMTP service here", OURS),
    ("ehlo", 550, "5.1.1", "user unknown", OURS),
    ("starttls", 554, "", "TLS not available", OURS),
    ("auth", 535, "5.7.8", "authentication failed", OURS),
    ("mail", 550, "5.1.8", "sender domain not found", OURS),
    ("mail", 552, "5.3.4", "message too big", OURS),
    # about the recipient
    ("rcpt", 550, "5.1.1", "user unknown", REFUSED),
    ("after_data", 550, "5.1.1", "user unknown", REFUSED),
    ("rcpt", 556, "5.1.10", "null MX", REFUSED),
    ("rcpt", 550, "5.2.1", "mailbox disabled", REFUSED),
    ("rcpt", 552, "5.2.2", "mailbox full", REFUSED),
    ("after_data", 552, "5.2.2", "mailbox full", REFUSED),
    ("rcpt", 550, "5.4.1", "recipient address rejected: access denied", REFUSED),
    ("rcpt", 550, "5.7.17", "mailbox owner has changed", REFUSED),
    ("rcpt", 550, "5.1.0", "address rejected", REFUSED),
    ("rcpt", 550, "5.5.0", "mailbox unavailable", REFUSED),
    *[("rcpt", code, "", "no", REFUSED) for code in (550, 551, 552, 553, 554, 556)],
    ("rcpt", 550, "4.2.2", "the code decides: over quota", REFUSED),
    ("after_data", 550, "", "No such user here", REFUSED),
    # about us, though the recipient was named
    ("rcpt", 554, "5.7.1", "relay access denied", OURS),
    ("rcpt", 554, "", "Relay access denied", OURS),
    ("rcpt", 550, "", "blocked using zen.spamhaus.org", OURS),
    ("rcpt", 550, "5.1.0", "sender rejected", OURS),
    ("rcpt", 550, "5.1.7", "bad sender address syntax", OURS),
    ("after_data", 550, "5.7.1", "rejected by DMARC policy", OURS),
    ("after_data", 550, "5.7.26", "SPF and DKIM failed", OURS),
    ("rcpt", 550, "5.7.27", "sender has a null MX", OURS),
    ("after_data", 552, "5.3.4", "message size exceeds the limit", OURS),
    ("after_data", 552, "5.2.3", "message too long", OURS),
    ("after_data", 552, "", "message size exceeds the limit", OURS),
    ("after_data", 554, "5.6.0", "message content rejected", OURS),
    ("after_data", 554, "5.0.0", "transaction failed", OURS),
    ("rcpt", 503, "5.5.1", "need MAIL first", OURS),
    ("rcpt", 530, "5.7.0", "authentication required", OURS),
    ("rcpt", 501, "", "syntax", OURS),
    ("data", 554, "5.5.1", "no valid recipients", OURS),
]


@pytest.mark.parametrize(("phase", "code", "enhanced", "text", "verdict"), CASES)
def test_a_reply_is_judged_by_phase_and_code(
    phase: str, code: int | None, enhanced: str, text: str, verdict: SendVerdict
) -> None:
    judgement = judge_reply(phase, code, enhanced, text)
    assert judgement.verdict is verdict, judgement.reason
    assert judgement.reason
    if verdict is REFUSED:
        assert judgement.about_recipient


@pytest.mark.parametrize(
    ("phase", "enhanced", "text", "about"),
    [
        ("rcpt", "4.2.2", "mailbox full", True),
        ("after_data", "", "try later", True),
        ("rcpt", "4.7.0", "too much mail from you", False),
        ("rcpt", "", "sender has a poor reputation", False),
        ("mail", "4.2.2", "no recipient was named yet", False),
        ("connect", "", "too busy", False),
    ],
)
def test_a_delay_is_about_the_recipient_only_if_it_speaks_of_no_other(
    phase: str, enhanced: str, text: str, about: bool
) -> None:
    assert judge_reply(phase, 450, enhanced, text).about_recipient is about


PHASES = st.sampled_from(list(Phase))
CODES = st.none() | st.integers(200, 599)
STATUSES = st.from_regex(r"([245]\.\d{1,2}\.\d{1,2})?", fullmatch=True)
BEFORE_RCPT = [Phase.CONNECT, Phase.EHLO, Phase.STARTTLS, Phase.AUTH, Phase.MAIL]


@given(st.sampled_from(BEFORE_RCPT), CODES, STATUSES, st.text(max_size=40))
def test_nothing_said_before_the_recipient_is_ever_final(
    phase: Phase, code: int | None, enhanced: str, text: str
) -> None:
    judgement = judge_reply(phase, code, enhanced, text)
    assert judgement.verdict in {OURS, LATER}
    assert not judgement.about_recipient


@given(PHASES, CODES, STATUSES, st.text(max_size=40))
def test_only_a_5xx_is_final_and_only_a_2xx_at_the_end_is_an_acceptance(
    phase: Phase, code: int | None, enhanced: str, text: str
) -> None:
    verdict = judge_reply(phase, code, enhanced, text).verdict
    if verdict is REFUSED:
        assert code is not None
        assert code >= 500
    assert (verdict is ACCEPTED) == (
        phase in {Phase.AFTER_DATA, Phase.DONE} and code is not None and 200 <= code <= 299
    )


def outcomes(*permanent: bool, every: timedelta = timedelta(seconds=1)) -> list[SendOutcome]:
    first = NOW - every * len(permanent)
    return [SendOutcome(first + every * i, said_no) for i, said_no in enumerate(permanent, start=1)]


@pytest.mark.parametrize(
    ("refused", "accepted", "trips"),
    [(20, 60, True), (19, 60, False), (20, 80, False), (21, 79, True), (20, 0, True), (0, 100, False)],
)
def test_the_brake_trips_on_a_burst_that_is_also_a_large_share(refused: int, accepted: int, trips: bool) -> None:
    found = brake_trips(outcomes(*[False] * accepted, *[True] * refused), NOW, BrakeRule())
    assert (found is not None) is trips


def test_refusals_spread_over_days_do_not_trip_the_brake() -> None:
    assert brake_trips(outcomes(*[True] * 100, every=timedelta(hours=1)), NOW, BrakeRule()) is None


def test_only_the_latest_outcomes_count_for_the_share() -> None:
    found = brake_trips(outcomes(*[False] * 1000, *[True] * 25), NOW, BrakeRule())
    assert found is not None
    assert "25 among the last 100" in found


HOURS_72 = timedelta(hours=72)


def test_retries_double_from_a_minute_to_two_hours() -> None:
    delays = [next_try(NOW, tries, NOW, HOURS_72, 0.999999) for tries in range(1, 12)]
    minutes = [round((at - NOW) / timedelta(minutes=1)) for at in delays if at is not None]
    assert minutes == [1, 2, 4, 8, 16, 32, 64, 120, 120, 120, 120]


@given(st.floats(0, 1, exclude_max=True))
def test_retries_end_with_a_last_one_when_the_time_is_up(jitter: float) -> None:
    tries, times = 0, [NOW]
    while (following := next_try(NOW, tries := tries + 1, times[-1], HOURS_72, jitter)) is not None:
        times.append(following)
    assert times[-1] == NOW + HOURS_72
    assert all(earlier < later for earlier, later in pairwise(times))
    assert 40 < tries < 100
