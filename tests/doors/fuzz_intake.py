"""Calls of upstreams in the three modes of CloudEvents, and what chance makes of them."""

from __future__ import annotations

import json
from urllib.parse import quote

from tests.doors.fuzz_chance import (
    CANARY,
    Case,
    Chance,
    Json,
    mutated,
    spiced,
)
from tests.doors.fuzz_http import METHODS, Known, client_of, framed, path_of
from tests.rig.intake import BATCH, KEYS, ONE
from tests.rig.system import fee_outstanding, information_request, paid, responded


def intake(chance: Chance, known: Known) -> Case:
    """An upstream's call: events in one of three modes, or a question where things stand."""
    source = chance.choice(("fees", "fees", "fees", "registry"))
    headers = _credential(source, chance)
    if chance.one_in(5):
        return _asking(chance, known, headers, source)
    events = [_event(source, chance) for _ in range(chance.choice((1, 1, 2, 5)))]
    form = chance.choice(("one", "binary", "batch"))
    body, more = _in_form(form, events, chance)
    headers = {**more, **headers}
    path = path_of(chance, *("/v1/events",) * 20, "/v1/notices", "/v1")
    raw, whole = framed(
        chance.choice(METHODS), path, [(n.encode(), v.encode()) for n, v in headers.items()], body, chance
    )
    return Case("intake", raw, body, client_of(chance), whole, source)


def _credential(source: str, chance: Chance) -> dict[str, str]:
    odd = ({}, {"authorization": "Bearer a.b.c"}, {"authorization": "Basic =="}, {"x-api-key": CANARY})
    if chance.one_in(12):
        return dict(chance.choice(odd))
    return {"x-api-key": KEYS[source]} if chance.one_in(5) else {"authorization": f"Bearer {KEYS[source]}"}


def _event(source: str, chance: Chance) -> Json:
    ref = f"{CANARY}/{chance.getrandbits(30)}"
    made = chance.choice((paid, paid, fee_outstanding, information_request, lambda ref: responded(ref, "answer")))(ref)
    known = {**made, "source": source if chance.one_in(20) else made["source"]}
    event = {
        "specversion": "1.0",
        "id": str(chance.uuid()),
        **known,
        "source": source if chance.randrange(9) else "fees",
    }
    return spiced(event, chance) if chance.one_in(2) else event


def _in_form(form: str, events: list[Json], chance: Chance) -> tuple[bytes, dict[str, str]]:
    if form == "binary" and isinstance(events[0], dict):
        attributes = {
            name: each for name, each in events[0].items() if name.isascii() and name.isalnum() and name != "data"
        }
        headers = {f"ce-{name.lower()}": quote(str(each), errors="replace") for name, each in attributes.items()}
        body = json.dumps(events[0].get("data")).encode()
        return mutated(body, chance), {**headers, "content-type": "application/json"}
    if form == "batch":
        written = json.dumps(events).encode()
        named = BATCH if chance.randrange(9) else "Application/CloudEvents-Batch+JSON; charset=utf-8"
        return mutated(written, chance), {"content-type": named}
    named = chance.choice((ONE,) * 9 + ("text/xml", "application/cloudevents+json; charset=utf-16", ""))
    return mutated(json.dumps(events[0]).encode(), chance), {"content-type": named}


def _asking(chance: Chance, known: Known, headers: dict[str, str], source: str) -> Case:
    odd = quote(chance.plain(), safe="")
    path = path_of(
        chance, f"/v1/notices/{chance.choice(known.notices)}", f"/v1/notices/{odd}", f"/v1/notices?source_ref={odd}",
        "/v1/notices", "/v1/evidence-roots/2026-11-22", "/v1/evidence-roots/0000-00-00",
        "/v1/evidence-roots/9999-12-31", "/v1/openapi.json", "/problems/too-long", f"/problems/{odd}",
    )  # fmt: skip
    method = chance.choice(("GET",) * 40 + METHODS[-7:])
    raw, whole = framed(method, path, headers, b"", chance)
    return Case("intake", raw, b"", client_of(chance), whole, source)
