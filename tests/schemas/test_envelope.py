"""CloudEvents as they come: two modes, every fault named, never a value, and tracing that refuses nothing."""

from __future__ import annotations

import json

import pytest
from pydantic import BaseModel, ValidationError

from schemas.cloudevents import CONTENT_TYPE, Envelope, EnvelopeRefused, faults, read
from schemas.messages.fields import Address, Instant, Message, Name, Person, Reason, Reference, Value
from schemas.messages.requests import NoticeRequestedV1

ATTRIBUTES = {
    "specversion": "1.0",
    "id": "019cb8a5-c6b0-70b0-8999-50d836f675cc",
    "source": "fees",
    "type": "obligation.satisfied.v1",
    "time": "2026-03-20T16:02:11Z",
    "subject": "XK0417",
    "sequence": "3",
    "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
}
DATA = {"source_ref": "fees/2026/000417", "kind": "payment"}


def structured(**changed: object) -> bytes:
    return json.dumps({**ATTRIBUTES, "data": DATA, **changed}).encode()


def refusal(body: bytes, content_type: str = CONTENT_TYPE, headers: dict[str, str] | None = None) -> EnvelopeRefused:
    with pytest.raises(EnvelopeRefused) as caught:
        read(body, content_type, headers or {})
    return caught.value


@pytest.mark.parametrize("prefix", ["ce-", "CE-", "cloudEvents:", "cloudEvents_"])
def test_binary_mode_reads_as_structured_mode_does(prefix: str) -> None:
    headers = {f"{prefix}{name}": value for name, value in ATTRIBUTES.items()}
    binary = read(json.dumps(DATA).encode(), "application/json", headers)
    assert binary == read(structured(), CONTENT_TYPE, {})


def test_structured_content_type_wins_over_stray_headers() -> None:
    event = read(structured(), f"{CONTENT_TYPE}; charset=utf-8", {"ce-id": "another"})
    assert event.id == ATTRIBUTES["id"]


def test_a_header_cannot_stand_in_for_the_data() -> None:
    headers = {f"ce-{name}": value for name, value in ATTRIBUTES.items()} | {"ce-data": "{}"}
    assert read(json.dumps(DATA).encode(), "application/json", headers).data == DATA


def test_wire_form_reads_back_as_the_same_event() -> None:
    event = read(structured(), CONTENT_TYPE, {})
    assert read(event.wire(), CONTENT_TYPE, {}) == event


def test_nothing_given_in_data_is_lost_on_the_wire() -> None:
    event = Envelope(id="1", source="fees", type="t", data={"a": None, "b": [None, {"c": None}]})
    assert json.loads(event.wire())["data"] == {"a": None, "b": [None, {"c": None}]}


def test_every_fault_is_named_at_once() -> None:
    said = str(refusal(structured(specversion="0.3", id="", source="fe\nes", time="yesterday", data=[])))
    for name in ("specversion", "id", "source", "time", "data"):
        assert f"{name}: " in said


def test_no_fault_shows_the_value_nor_does_its_cause() -> None:
    secret = "s3cret\u202econtent"
    fault = refusal(structured(id=secret, source=secret, type=secret * 20, subject=secret, time=secret, data=secret))
    assert isinstance(fault.__cause__, ValidationError)
    assert "s3cret" not in str(fault) + str(fault.__cause__)


def test_a_message_s_error_never_shows_the_value() -> None:
    with pytest.raises(ValidationError) as caught:
        NoticeRequestedV1.model_validate(
            {"source_ref": "s3cret\n", "values": {"name": "s3cret\r\n"}, "origin": "s3cret"}
        )
    assert "s3cret" not in str(caught.value) + "".join(faults(caught.value))


def test_a_field_s_name_cannot_break_a_line() -> None:
    with pytest.raises(ValidationError) as caught:
        NoticeRequestedV1.model_validate({"sur\nplus\x1b[2J" + "x" * 500: 1})
    found = faults(caught.value)
    assert all(fault.isprintable() and len(fault) < 300 for fault in found)
    assert any(fault.startswith("sur\N{REPLACEMENT CHARACTER}plus") for fault in found)


@pytest.mark.parametrize(
    "body", [b"", b"{", b"\xff\xfe", b"[" * 100_000, b'"text"', b"[]", b"null", b'{"id":"\\ud800"}']
)
def test_what_is_no_json_object_is_refused(body: bytes) -> None:
    assert str(refusal(body))
    assert str(refusal(body, "application/json", {f"ce-{name}": value for name, value in ATTRIBUTES.items()}))


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_numbers_that_json_does_not_know_are_refused(number: str) -> None:
    data = f'{{"a": [{{"b": {number}}}]}}'.encode()
    assert "data: " in str(refusal(structured()[:-1].replace(json.dumps(DATA).encode(), data) + b"}"))
    binary = {f"ce-{name}": value for name, value in ATTRIBUTES.items()}
    assert "not finite" in str(refusal(data, "application/json", binary))


@pytest.mark.parametrize(
    "trace", ["", "nonsense", "00-0-0-0", 7, None, ["00"], "00-" + "G" * 32 + "-" + "0" * 16 + "-01"]
)
def test_a_broken_trace_is_no_trace_and_refuses_nothing(trace: object) -> None:
    assert read(structured(traceparent=trace), CONTENT_TYPE, {}).traceparent is None


def test_attributes_that_duly_does_not_know_are_passed_over() -> None:
    assert read(structured(partitionkey="7", dataschema="urn:x"), CONTENT_TYPE, {}).id == ATTRIBUTES["id"]


class EveryKind(Message):
    name: Name = "n"
    reference: Reference = "r"
    person: Person = "p"
    reason: Reason = "because"
    value: Value = "v"
    address: Address = "a@b.example"
    instant: Instant | None = None


CONTROLS = ["\x00", "\x07", "\x1b", "\r", "\x7f", "\x85", "\x9b", "\u2028", "\u2029", "\u202e", "\u2066"]


@pytest.mark.parametrize("field", ["name", "reference", "person", "reason", "value", "address"])
@pytest.mark.parametrize("control", CONTROLS, ids=lambda control: f"U+{ord(control):04X}")
def test_no_kind_of_field_takes_a_control_character(field: str, control: str) -> None:
    for text in (f"{control}aaa", f"aa{control}a", f"aaa{control}"):
        with pytest.raises(ValidationError) as caught:
            EveryKind.model_validate({field: text})
        assert [fault.split(":")[0] for fault in faults(caught.value)] == [field]


@pytest.mark.parametrize("field", ["name", "reference", "person", "value", "address"])
@pytest.mark.parametrize("text", ["aa\nb", "aaa\n", "a\ta"])
def test_only_a_reason_may_have_several_lines(field: str, text: str) -> None:
    with pytest.raises(ValidationError):
        EveryKind.model_validate({field: text})
    assert EveryKind(reason=text).reason == text


@pytest.mark.parametrize("field", ["id", "source", "type", "subject", "sequence"])
@pytest.mark.parametrize("control", CONTROLS, ids=lambda control: f"U+{ord(control):04X}")
def test_no_attribute_takes_a_control_character(field: str, control: str) -> None:
    assert str(refusal(structured(**{field: f"a{control}b"}))).startswith(f"{field}: ")


@pytest.mark.parametrize("text", ["Siôn Prŷs", "O'Neill & Sons", "株式会社", "<b>", "((x))", "{{ x }}"])
def test_other_letters_and_marks_are_taken_as_they_are(text: str) -> None:
    assert EveryKind(person=text, value=text).value == text


def test_an_instant_needs_its_offset_and_is_kept_in_utc() -> None:
    kept = EveryKind.model_validate({"instant": "2026-07-01T10:00:00+01:00"})
    assert json.loads(kept.model_dump_json())["instant"] == "2026-07-01T09:00:00Z"
    with pytest.raises(ValidationError):
        EveryKind.model_validate({"instant": "2026-07-01T10:00:00"})


def test_messages_and_events_are_frozen() -> None:
    frozen: list[BaseModel] = [EveryKind(), read(structured(), CONTENT_TYPE, {})]
    for one in frozen:
        with pytest.raises(ValidationError):
            setattr(one, next(iter(type(one).model_fields)), "other")
