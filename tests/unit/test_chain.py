import hashlib
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.kernel.domain.chain import (
    GENESIS,
    Fact,
    Json,
    NotCanonical,
    canonical,
    data_hash,
    merkle_root,
    record,
    verify,
)
from services.kernel.domain.notice import Channel, Notice, Origin, State

NOTICE_ID = UUID("01938f5e-0000-7000-8000-000000000003")
OTHER_ID = UUID("01938f5e-0000-7000-8000-000000000004")
AT = datetime(2026, 11, 22, 9, tzinfo=UTC)


def a_notice(notice_id: UUID = NOTICE_ID) -> Notice:
    return Notice(
        notice_id=notice_id,
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
        state=State.ACCEPTED,
        seq=0,
        chain_head=GENESIS(notice_id),
        accepted_at=AT,
    )


def a_chain(length: int = 4, notice_id: UUID = NOTICE_ID) -> tuple[Notice, list[Fact]]:
    notice, facts = a_notice(notice_id), []
    for number in range(length):
        data: dict[str, Json] = {"reply": f"250 queued as {number}", "tries": number}
        notice, fact = record(notice, "notice.served", AT + timedelta(seconds=number), "notifier", data)
        facts.append(fact)
    return notice, facts


def test_canonical_json_is_sorted_without_spaces_in_utf_8() -> None:
    data: dict[str, Json] = {"ŵ": 'é\n\u001f"\\/', "a": [1, True, None, {"z": -5, "b": ""}], "B": False}
    expected = '{"B":false,"a":[1,true,null,{"b":"","z":-5}],"ŵ":"é\\n\\u001f\\"\\\\/"}'
    assert canonical(data) == expected.encode()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)
OBJECTS = st.dictionaries(st.text(), JSON, max_size=4)


@given(OBJECTS)
def test_the_same_data_has_the_same_hash_however_it_was_written(data: dict[str, Json]) -> None:
    turned = dict(reversed(json.loads(json.dumps(data, indent=2)).items()))
    assert data_hash(turned) == data_hash(data)
    assert json.loads(canonical(data)) == data


@given(OBJECTS, OBJECTS)
def test_other_data_has_another_hash(one: dict[str, Json], other: dict[str, Json]) -> None:
    same = json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
    assert (data_hash(one) == data_hash(other)) is same


@pytest.mark.parametrize(
    "value", [1.5, float("nan"), {"deep": [{"er": 0.1}]}, {1: "x"}, b"bytes", (1, 2), {1}, AT, "\ud800"]
)
def test_what_has_no_canonical_form_is_refused(value: object) -> None:
    with pytest.raises(NotCanonical):
        canonical({"value": value})


def test_recording_advances_the_notice_and_links_the_fact() -> None:
    notice, (first, second) = a_chain(2)
    assert (first.seq, first.previous) == (1, GENESIS(NOTICE_ID))
    assert (second.seq, second.previous) == (2, first.digest)
    assert (notice.seq, notice.chain_head) == (2, second.digest)


def test_the_digest_is_over_every_other_field_and_can_be_made_without_this_code() -> None:
    _, (fact,) = a_chain(1)
    by_hand = (
        '{"actor":"notifier","at":"2026-11-22T09:00:00.000000+00:00","data":{"reply":"250 queued as 0","tries":0},'
        f'"kind":"notice.served","notice_id":"{NOTICE_ID}","previous":"{fact.previous.hex()}","seq":1}}'
    )
    assert fact.digest == hashlib.sha256(by_hand.encode()).digest()


def test_the_same_instant_in_another_zone_has_the_same_digest() -> None:
    cardiff_in_june = timezone(timedelta(hours=1))
    here = record(a_notice(), "notice.served", AT, "notifier", {})[1]
    there = record(a_notice(), "notice.served", AT.astimezone(cardiff_in_june), "notifier", {})[1]
    assert here.digest == there.digest


def test_a_fact_without_a_time_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        record(a_notice(), "notice.served", AT.replace(tzinfo=None), "notifier", {})


def test_a_sound_chain_verifies() -> None:
    notice, facts = a_chain()
    assert verify(facts, notice.chain_head) == []
    assert verify([]) == []


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "notice.unserved"},
        {"at": AT + timedelta(microseconds=1)},
        {"actor": "somebody"},
        {"data": {"reply": "550 no", "tries": 1}},
        {"data": {"tries": 1.5}},
        {"seq": 7},
        {"notice_id": OTHER_ID},
        {"previous": b"p" * 32},
        {"digest": b"d" * 32},
    ],
)
def test_any_change_to_any_field_is_found(change: dict[str, object]) -> None:
    _, facts = a_chain()
    facts[1] = replace(facts[1], **change)
    problems = verify(facts)
    assert problems
    assert problems[0].startswith("fact 2: ")


def test_facts_that_are_missing_doubled_or_out_of_order_are_found() -> None:
    notice, facts = a_chain()
    assert verify(facts[1:])
    assert verify([*facts[:2], *facts[3:]])
    assert verify([*facts[:2], facts[1], *facts[2:]])
    assert verify([facts[1], facts[0], *facts[2:]])
    assert verify(facts[:-1]) == []
    assert verify(facts[:-1], notice.chain_head) == [
        "the last digest is not the notice's head: facts are missing at the end",
    ]
    assert verify([], notice.chain_head) == ["no facts, but a head"]


def test_one_notices_chain_cannot_pass_as_anothers() -> None:
    _, facts = a_chain()
    assert verify([replace(fact, notice_id=OTHER_ID) for fact in facts])


def sha(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def test_the_daily_root_is_the_tree_of_rfc_6962() -> None:
    a, b, c = (sha(b"\x00" + leaf) for leaf in (b"a", b"b", b"c"))
    assert merkle_root([]) == sha(b"")
    assert merkle_root([b"a"]) == a
    assert merkle_root([b"a", b"b", b"c"]) == sha(b"\x01" + sha(b"\x01" + a + b) + c)


@given(st.lists(st.binary(min_size=32, max_size=32), min_size=1, max_size=20, unique=True), st.data())
def test_the_root_names_every_head_and_their_order(heads: list[bytes], data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(heads) - 1))
    changed = [*heads[:place], sha(heads[place]), *heads[place + 1 :]]
    assert merkle_root(changed) != merkle_root(heads)
    assert merkle_root([*heads, heads[-1]]) != merkle_root(heads)


def rfc_6962(leaves: list[bytes]) -> bytes:
    if len(leaves) == 1:
        return sha(b"\x00" + leaves[0])
    half = 1 << (len(leaves) - 1).bit_length() - 1
    return sha(b"\x01" + rfc_6962(leaves[:half]) + rfc_6962(leaves[half:]))


@given(st.lists(st.binary(max_size=4), min_size=1, max_size=33))
def test_the_root_agrees_with_the_definition_at_any_size(leaves: list[bytes]) -> None:
    assert merkle_root(leaves) == rfc_6962(leaves)
