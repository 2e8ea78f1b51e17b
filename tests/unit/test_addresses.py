"""Addresses: what may go into an envelope and a header, and when two are the same mailbox."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.kernel.domain.addresses import address_fault, matching_key, normal


@pytest.mark.parametrize(
    "address",
    [
        "a@b.example",
        "first.last+tag@sub.domain.example",
        "o'brien@firm.example",
        "!#$%&'*+/=?^_`{|}~-@firm.example",
        "owner@bücher.example",
        "owner@xn--bcher-kva.example",
        "UPPER@FIRM.EXAMPLE",
        f"{'a' * 64}@firm.example",
        "1@1.example",
    ],
)
def test_a_deliverable_address_has_no_fault(address: str) -> None:
    assert address_fault(address) is None


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("", "empty"),
        ("nobody", "exactly one @"),
        ("a@b@firm.example", "exactly one @"),
        ("@firm.example", "before the @"),
        ("a@", "label"),
        ("a@firm", "no dot"),
        ("a@.example", "label"),
        ("a@firm..example", "label"),
        ("a@firm.example.", "label"),
        ("a@-firm.example", "label"),
        ("a@firm_name.example", "label"),
        ("a@[192.0.2.1]", "literal"),
        ("a@192.0.2.1", "IP address"),
        (".a@firm.example", "misplaced dot"),
        ("a.@firm.example", "misplaced dot"),
        ("a..b@firm.example", "misplaced dot"),
        ('"a b"@firm.example', "space"),
        ('"ab"@firm.example', "quoted"),
        ("a b@firm.example", "space"),
        ("a@firm.example\r\nBcc: x@evil.example", "line break"),
        ("a\x00@firm.example", "control"),
        ("a\u202e@firm.example", "invisible"),
        ("a@fi\u200brm.example", "invisible"),
        ("a<b>@firm.example", "not allowed"),
        ("a,b@firm.example", "not allowed"),
        ("é@firm.example", "outside ASCII"),
        (f"{'a' * 65}@firm.example", "64"),
        (f"a@{'b' * 64}.example", "label"),
        (f"a@{'b.' * 130}example", "254"),
        (
            f"{'a' * 64}@{'ü' * 30}bcdefghijk.{'ö' * 30}abcdefghijk.{'ä' * 30}bcdefghijk.{'é' * 30}bcdef.example",
            "punycode",
        ),
        (f"a@{'ü' * 70}.example", "international"),
        ("a@straße.example", "xn--"),
    ],
)
def test_an_address_that_mail_systems_disagree_about_is_refused_with_the_reason(address: str, why: str) -> None:
    fault = address_fault(address)
    assert fault is not None
    assert why in fault


def test_normal_lowers_and_encodes_the_domain_and_keeps_the_local_part() -> None:
    assert normal("First.Last@BÜCHER.Example") == "First.Last@xn--bcher-kva.example"
    with pytest.raises(ValueError, match="exactly one @"):
        normal("nobody")


def test_two_spellings_of_one_mailbox_have_one_matching_key() -> None:
    assert matching_key(" <Owner@BÜCHER.example> ") == matching_key("owner@xn--bcher-kva.EXAMPLE")
    assert matching_key("not an address") == "not an address"


@given(st.text(max_size=80))
def test_no_text_breaks_the_check_and_what_passes_is_safe_in_a_header(address: str) -> None:
    matching_key(address)
    fault = address_fault(address)
    if fault is None:
        wire = normal(address)
        assert wire.isascii()
        assert wire.isprintable()
        assert not set(wire) & set(' <>,;:"()[]\\')
        assert address_fault(wire) is None
        assert normal(wire) == wire
    elif address:
        assert len(address) < 3 or address not in fault


@given(st.from_regex(r"[a-z0-9.+'_-]{1,20}@[a-zà-ü0-9-]{1,20}\.[a-z]{2,5}", fullmatch=True))
def test_what_passes_has_one_key_with_its_wire_form(address: str) -> None:
    if address_fault(address) is None:
        assert matching_key(normal(address)) == matching_key(address.upper().lower())
