"""Dead letters of the renderer: requests, and what came to its queue and is none."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.rig.dead_letters.yard import COPIES, Yard, named, raw
from tests.rig.system import fee_outstanding, information_request, paid

REQUESTED = "notice.requested.v1"


async def request_killed_by_a_fault_since_mended(yard: Yard) -> None:
    """Nothing stands against rendering it now."""
    await yard.die_of_a_fault(*(yard.event(fee_outstanding(ref)) for ref in yard.refs(2 * COPIES)))


async def request_by_a_caseworker_killed_by_a_fault_since_mended(yard: Yard) -> None:
    """The same, of another source and notice type."""
    await yard.die_of_a_fault(*(yard.event(information_request(ref)) for ref in yard.refs()))


async def request_whose_fault_is_still_there(yard: Yard) -> None:
    """Poison: whoever runs it fails again."""
    await yard.die_of_a_fault(*(yard.event(fee_outstanding(ref)) for ref in yard.refs()), lasting=True)


async def request_that_came_again_and_was_done(yard: Yard) -> None:
    """The publisher sent the very same event once more after the mend: its processed key is there."""
    events = [yard.event(fee_outstanding(ref)) for ref in yard.refs()]
    await yard.die_of_a_fault(*events)
    await yard.come(*events)


async def request_asked_anew_by_another_event(yard: Yard) -> None:
    """The notice is there, rendered from another event with the same data: only the answer is given again."""
    refs = yard.refs()
    await yard.die_of_a_fault(*(yard.event(fee_outstanding(ref)) for ref in refs))
    await yard.come(*(yard.event(fee_outstanding(ref)) for ref in refs))


async def request_asked_anew_with_other_data(yard: Yard) -> None:
    """The reference is another notice's by now: it is refused, showing the difference."""
    refs = yard.refs()
    await yard.die_of_a_fault(*(yard.event(fee_outstanding(ref)) for ref in refs))
    await yard.come(*(yard.event(fee_outstanding(ref, business_id="B-other")) for ref in refs))


async def two_requests_of_one_notice(yard: Yard) -> None:
    """Duplicates among the dead: the first renders the notice, the second is answered."""
    refs = yard.refs(COPIES // 2)
    await yard.die_of_a_fault(*(yard.event(fee_outstanding(ref)) for ref in refs for _ in range(2)))


async def two_requests_that_differ(yard: Yard) -> None:
    """The same reference with two kinds of data: the first renders the notice, the second is refused."""
    refs = yard.refs(COPIES // 2)
    both = [yard.event(fee_outstanding(ref, business_id=who)) for ref in refs for who in ("B-one", "B-two")]
    await yard.die_of_a_fault(*both)


async def request_whose_fixed_date_comes_too_soon_by_now(yard: Yard) -> None:
    """It left three weeks when it came; the legal clock goes on before it is replayed."""
    by = (datetime.now(UTC) + timedelta(days=23)).date().isoformat()
    await yard.die_of_a_fault(*(yard.event(fee_outstanding(ref, respond_by=by)) for ref in yard.refs()))


async def request_under_an_unknown_regime(yard: Yard) -> None:
    """The fault struck before it could be refused."""
    await yard.die_of_a_fault(*(yard.event(fee_outstanding(ref, regime="no-such")) for ref in yard.refs()))


async def request_out_of_scope(yard: Yard) -> None:
    """A compliance intervention may not be served so."""
    events = [yard.event(information_request(ref, notice_type="compliance-intervention")) for ref in yard.refs()]
    await yard.die_of_a_fault(*events)


async def request_with_wrong_values(yard: Yard) -> None:
    """A placeholder of the text is missing."""
    values = {"business_name": "Harbour & Sons"}
    await yard.die_of_a_fault(*(yard.event(fee_outstanding(ref, values=values)) for ref in yard.refs()))


async def request_of_a_stranger(yard: Yard) -> None:
    """The broker's user does not speak for the source; a processed key would keep its owner's event out."""
    await yard.die_of_a_fault(*(yard.event(fee_outstanding(ref), user="registry") for ref in yard.refs()))


async def request_that_is_not_json(yard: Yard) -> None:
    """Bytes that will never be a request."""
    await yard.come(*(raw(b'{"specversion": "1.0", "id": "%d' % number, REQUESTED) for number in range(COPIES)))


async def request_of_undecodable_bytes(yard: Yard) -> None:
    """Not even text."""
    bytes_ = [bytes([0xFF, 0xFE, number, 0x00, 0x80]) for number in range(COPIES)]
    await yard.come(*(raw(each, REQUESTED, {"ce-source": "fees"} if each[2] % 2 else {}) for each in bytes_))


async def request_larger_than_may_be(yard: Yard) -> None:
    """Over 64 KiB."""
    await yard.come(*(yard.event(fee_outstanding(ref, matter="m" * 70_000)) for ref in yard.refs(COPIES // 2)))


async def request_without_any_data(yard: Yard) -> None:
    """An envelope with nothing in it: nobody can be told which notice is refused."""
    empty: dict[str, Any] = {"type": REQUESTED, "source": "fees", "data": {}}
    await yard.come(*(yard.event(empty) for _ in range(COPIES // 2)))


async def message_for_another_worker_at_the_renderer(yard: Yard) -> None:
    """A payment, published with the key of requests."""
    bodies = [json.dumps({"specversion": "1.0", "id": yard.event_id(), **paid(ref)}).encode() for ref in yard.refs(4)]
    await yard.come(*(raw(body, REQUESTED) for body in bodies))


async def message_of_a_type_nobody_knows(yard: Yard) -> None:
    """From a publisher that is ahead of us, or wrong."""
    unknown = {"type": "notice.requested.v9", "source": "fees", "data": {"source_ref": "x"}}
    bodies = [json.dumps({"specversion": "1.0", "id": yard.event_id(), **unknown}).encode() for _ in range(4)]
    await yard.come(*(raw(body, REQUESTED) for body in bodies))


async def request_that_came_again_while_others_of_it_are_dead(yard: Yard) -> None:
    """Three events of one notice: one was done after the mend, two lie here."""
    refs = yard.refs(COPIES // 2)
    first, second, third = ([yard.event(fee_outstanding(ref)) for ref in refs] for _ in range(3))
    with yard.fault(named([*first, *second])):
        await yard.come(*first, *second)
        await yard.exhaust()
    await yard.come(*third)


STORIES = (
    request_killed_by_a_fault_since_mended, request_by_a_caseworker_killed_by_a_fault_since_mended,
    request_whose_fault_is_still_there, request_that_came_again_and_was_done, request_asked_anew_by_another_event,
    request_asked_anew_with_other_data, two_requests_of_one_notice, two_requests_that_differ,
    request_whose_fixed_date_comes_too_soon_by_now, request_under_an_unknown_regime, request_out_of_scope,
    request_with_wrong_values, request_of_a_stranger, request_that_is_not_json, request_of_undecodable_bytes,
    request_larger_than_may_be, request_without_any_data, message_for_another_worker_at_the_renderer,
    message_of_a_type_nobody_knows, request_that_came_again_while_others_of_it_are_dead,
)  # fmt: skip
