"""Requests of officers, or what looks like one: any page, as any role or none, with forms and queries of all kinds."""

from __future__ import annotations

import re
from urllib.parse import quote, urlencode

from services.console.app import PAGES
from tests.doors.fuzz_chance import CANARY, Case, Chance, mutated
from tests.doors.fuzz_http import METHODS, Known, client_of, framed, path_of

ASKED = ("q", "state", "regime", "type", "business", "source", "held", "before", "after", "person", "notice", "span",
         "pause", "worker", "cause", "kind", "door", "view", "page", "run", "impact", "failed_id")  # fmt: skip
FIELDS = ("reason", "kind", "due_on", "body", "text", "note", "failed_id", "notice_id", "verdict", "cap", "steps",
          "per_second", "dry", "choice", "number", "address", "hold_kind", "confirm", "rate", "percent")  # fmt: skip


def console(chance: Chance, known: Known) -> Case:
    """A browser's request to the console. No form names evidence or anything else that others have left."""
    cookie, csrf = chance.choice(known.officers or known.sessions)
    page = chance.choice(PAGES)
    path = re.sub(r"{(\w+)}", lambda found: _named(found[1], chance, known), page.path)
    if page.method == "GET" and chance.one_in(2):
        path += "?" + urlencode(
            [(chance.choice(ASKED), _value(chance, known)) for _ in range(chance.choice((1, 2, 6)))]
        )
    body = _form(csrf, chance, known) if page.method == "POST" else b""
    if page.path == "/sign-out" and chance.randrange(20):
        body = b"csrf=wrong"
    method = chance.choice((page.method,) * 40 + METHODS[-7:])
    path = path_of(chance, *(path,) * 9, "/overview?span=%00", "/notices?after=x", "/signed-in?state=a&code=b")
    raw, whole = framed(method, path, _headers(cookie, chance), body, chance)
    return Case("console", raw, body, client_of(chance), whole)


def _named(name: str, chance: Chance, known: Known) -> str:
    odd = (str(chance.uuid()), quote(chance.plain(), safe=""), "%00", "{}", "..%2f..", "1", "registration.cancel")
    return str(chance.choice(known.notices)) if name == "notice_id" and chance.randrange(4) else chance.choice(odd)


def _value(chance: Chance, known: Known) -> str:
    odd = (chance.plain(), CANARY, "", "\x00", "x" * 3_000, "9" * 30, "-1", "2026-13-01", "yes", "served", "dead", "{")
    return chance.choice((*odd, str(chance.uuid()), str(chance.choice(known.notices)) if known.notices else "x"))


def _form(csrf: str, chance: Chance, known: Known) -> bytes:
    fields = [("csrf", csrf), ("person", "trial:nobody")]
    fields += [(name, _value(chance, known)) for name in FIELDS if chance.one_in(2) and not name.endswith("_id")]
    fields += [("reason", CANARY)] * chance.randrange(2) + [("failed_id", str(chance.uuid()))] * chance.randrange(3)
    written = urlencode([field for field in fields if chance.randrange(12)]).encode()
    return mutated(written, chance) if chance.one_in(3) else written


def _headers(cookie: str, chance: Chance) -> dict[str, str]:
    if chance.one_in(6):
        cookie = chance.choice(("", CANARY, cookie[::-1], quote(chance.plain()), "a" * 4000))
    said = chance.choice(("", CANARY, "bnVsbA==", "WyJnb29kIiwgMV0=", "WyJiYWQiLCAieCJd"))
    begun = f"duly-console-sign-in={CANARY}; duly-console-asked=%2F{quote(chance.plain())}; duly-console-said={said}"
    made = {"cookie": f"duly-console={cookie}; {begun}", "content-type": "application/x-www-form-urlencoded"}
    return {**made, "origin": chance.choice(("null", "https://elsewhere.example"))} if chance.one_in(6) else made
