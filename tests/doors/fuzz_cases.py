"""What comes to the doors in a fuzz run: genuine requests of every kind, and what chance and `Spice` make of them.

Hypothesis draws which door, one number that all smaller choices follow, and the spice: texts, bytes and JSON values
with everything that its strategies find odd. `CANARY` stands in bodies, headers, cookies and names: no log may have it.
"""

from __future__ import annotations

import hmac
import json
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode
from uuid import UUID

from services.inbox.app import PAGES
from services.kernel.domain.verp import Keyring, envelope_sender, token
from tests.rig import callbacks as rig
from tests.rig.inbox import PDF
from tests.rig.intake import BATCH, KEYS, ONE
from tests.rig.system import fee_outstanding, information_request, paid, responded

CANARY = "c4n4ry"
DOMAIN = "bounces.authority.example"
KEYRING = Keyring({"k1": b"0123456789abcdef"}, "k1")
SNS, SENDGRID = rig.Sns(), rig.Sendgrid()
Json = Any
Headers = list[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class Spice:
    """Oddities to put into requests."""

    texts: Sequence[str]
    blobs: Sequence[bytes]
    values: Sequence[Json]


@dataclass(frozen=True, slots=True)
class Case:
    """One thing that comes. `whole` unless it breaks off; `source` is whose credential it bears."""

    door: str
    raw: bytes
    body: bytes
    client: str
    whole: bool = True
    source: str = ""
    cut: int | None = None


class Chance(random.Random):
    """The smaller choices of one case."""

    spice: Spice

    def one_in(self, number: int) -> bool:
        return self.randrange(number) == 0

    def uuid(self) -> UUID:
        return UUID(int=self.getrandbits(128), version=4)

    def text(self) -> str:
        return self.choice(self.spice.texts)

    def blob(self) -> bytes:
        return self.choice(self.spice.blobs)

    def plain(self) -> str:
        """A text that UTF-8 can hold."""
        return self.text().encode("utf-8", "replace").decode()


# --- bytes that go wrong ----------------------------------------------------------------------------------------------


def mutated(body: bytes, chance: Chance) -> bytes:
    """The body as it is, or with one to four things wrong."""
    for _ in range(chance.choice((0, 0, 0, 1, 1, 2, 4))):
        body = chance.choice(_WRONG)(body, chance)
    return body


def _flipped(body: bytes, chance: Chance) -> bytes:
    at = chance.randrange(len(body) + 1)
    return body[:at] + bytes([chance.randrange(256)]) + body[at + 1 :]


def _cut(body: bytes, chance: Chance) -> bytes:
    return body[: chance.randrange(len(body) + 1)]


def _put(what: Callable[[Chance], bytes]) -> Callable[[bytes, Chance], bytes]:
    def put(body: bytes, chance: Chance) -> bytes:
        at = chance.randrange(len(body) + 1)
        return body[:at] + what(chance) + body[at:]

    return put


def _doubled(body: bytes, chance: Chance) -> bytes:
    start = chance.randrange(len(body) + 1)
    return body + body[start : start + chance.randrange(400)]


def _first_value_is(what: Callable[[Chance], bytes]) -> Callable[[bytes, Chance], bytes]:
    """Some value of a JSON text becomes this."""

    def replaced(body: bytes, chance: Chance) -> bytes:
        places = [at for at in range(len(body)) if body[at : at + 1] == b":"][:60]
        if not places:
            return what(chance)
        at = chance.choice(places) + 1
        ends = [end for end in (body.find(b",", at), body.find(b"}", at)) if end > 0]
        return body[:at] + what(chance) + body[min(ends, default=len(body)) :]

    return replaced


def _recoded(body: bytes, chance: Chance) -> bytes:
    return body.decode("utf-8", "replace").encode(chance.choice(("utf-16", "utf-8-sig", "utf-7", "utf-32")), "replace")


def _twice(body: bytes, chance: Chance) -> bytes:
    """A key that stands twice."""
    name = chance.choice((b"id", b"type", b"MessageId", b"signature", b"specversion", b"RecordType", b"data"))
    return body.replace(b"{", b'{"' + name + b'":' + json.dumps(chance.text()).encode() + b",", 1)


_ODD_VALUES = (
    b"1e999",
    b"-" + b"9" * 400,
    b'"\\u0000"',
    b'"\\ud800"',
    b"[" * 3000,
    b"{}",
    b"null",
    b'""',
    b"NaN",
    b"[]" * 9,
)
_WRONG = (
    _flipped, _flipped, _cut, _put(lambda chance: chance.blob()), _put(lambda _: b"\0"), _doubled, _recoded, _twice,
    _first_value_is(lambda chance: chance.choice(_ODD_VALUES)),
    _first_value_is(lambda chance: json.dumps(chance.choice(chance.spice.values)).encode()),
)  # fmt: skip


def spiced(value: Json, chance: Chance) -> Json:
    """A JSON value, some leaf of which may be an odd one."""
    if isinstance(value, dict):
        made = {name: spiced(each, chance) for name, each in value.items()}
        if chance.one_in(30):
            made[chance.text()] = chance.choice(chance.spice.values)
        if made and chance.one_in(40):
            del made[chance.choice(list(made))]
        return made
    if isinstance(value, list):
        return [spiced(each, chance) for each in value] * chance.choice((1,) * 20 + (0, 2))
    return chance.choice(chance.spice.values) if chance.one_in(25) else value


# --- requests ---------------------------------------------------------------------------------------------------------


def framed(
    method: str, path: str, headers: dict[str, str] | Headers, body: bytes, chance: Chance
) -> tuple[bytes, bool]:
    """The request as bytes, and whether it is whole: some are chunked, some break off or lie about their length."""
    pairs = (
        [(name.encode(), value.encode()) for name, value in headers.items()] if isinstance(headers, dict) else headers
    )
    lines = [f"{method} {path} HTTP/1.1".encode("utf-8", "replace"), *_host(chance)]
    lines += [name + b": " + value for name, value in (*pairs, *_odd_headers(chance))]
    way = chance.randrange(40)
    if way < 4:
        chunks = [body[at : at + 700] for at in range(0, len(body), 700)]
        body = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks) + (b"0\r\n\r\n" if way else b"")
        return b"\r\n".join([*lines, b"Transfer-Encoding: chunked", b"", body]), way > 0
    length = len(body) + (chance.randrange(1, 99) if way == 4 else 0)
    raw = b"\r\n".join([*lines, b"Content-Length: %d" % length, b"", body])
    return raw, way != 4


def _host(chance: Chance) -> list[bytes]:
    odd = (b"Host: [", b"Host: " + chance.blob(), b"Host: a@b:99999999", b"Host: \xff", b"Host: x\r\nHost: y", b"X: ")
    return [chance.choice(odd)] if chance.one_in(25) else [b"Host: door.example"]


_NAMES = (
    b"content-type", b"cookie", b"x-forwarded-for", b"expect", b"accept-language", b"if-none-match", b"traceparent",
    b"ce-id", b"ce-data", b"origin", b"sec-fetch-site", b"range", b"content-encoding", b"upgrade", b"authorization",
    b"duly-signature", b"x-twilio-email-event-webhook-signature", b"duly-timestamp", b"x-api-key", b"connection",
)  # fmt: skip
_VALUES = (
    b"",
    b"100-continue",
    b"\xff\xfe",
    b"gzip",
    b"bytes=0-",
    b"*",
    b"websocket",
    b"close",
    b"text/html; charset=\xff",
)


def _odd_headers(chance: Chance) -> Headers:
    canary = (b"x-note", f"{CANARY} {chance.randrange(9)}".encode())
    if not chance.one_in(4):
        return [canary]
    return [(chance.choice(_NAMES), chance.choice((*_VALUES, chance.blob(), b"9" * 5000))), canary]


def path_of(chance: Chance, *known: str) -> str:
    """A path that is known, or nearly."""
    if chance.one_in(12):
        return "/" + quote(chance.text().encode("utf-8", "replace"), safe="/?&=%;")
    path = chance.choice(known)
    return path + quote(chance.plain(), safe="/?&=") if chance.one_in(25) else path


METHODS = ("POST",) * 60 + ("GET", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE")


@dataclass
class Known:
    """What the cases may name: notices, sessions, links; and what has been sent, to be sent again."""

    notices: Sequence[UUID] = ()
    sessions: Sequence[tuple[str, str]] = ()
    """Cookie and form token of each."""
    links: Sequence[str] = ()
    """To files that were given, as a page leads to them."""
    answers: Sequence[dict[str, str]] = ()
    """What stands in paths for answers that were given."""
    sent: list[Case] = field(default_factory=list)


def callback(chance: Chance, known: Known) -> Case:
    """A provider's call: signed over what it says, or over what it said before something went wrong, or not at all."""
    if known.sent and chance.one_in(15):
        return chance.choice(known.sent)
    provider, told = chance.choice(_TOLD)(chance)
    body, headers = _signed(provider, spiced(told, chance), chance)
    if chance.one_in(3):
        body = mutated(body, chance)
    if chance.one_in(8):
        headers = {}
    path = path_of(chance, *(f"/callbacks/{provider}",) * 12, "/callbacks/mailgun", "/callbacks/nobody", "/callbacks/")
    raw, whole = framed(chance.choice(METHODS), path, headers, body, chance)
    case = Case("callbacks", raw, body, _client(chance), whole)
    if whole and len(known.sent) < 500:
        known.sent.append(case)
    return case


def _client(chance: Chance) -> str:
    return f"10.{chance.randrange(256)}.{chance.randrange(256)}.{chance.randrange(256)}"


def _signed(provider: str, told: Json, chance: Chance) -> rig.Signed:
    """By the provider's own key, over bytes that may be wrong already."""
    body = mutated(json.dumps(told).encode(), chance) if chance.one_in(2) else json.dumps(told).encode()
    match provider:
        case "ses":
            version = chance.choice(("1", "2"))
            return (
                SNS.confirmation() if chance.one_in(20) else SNS.call(body.decode("utf-8", "replace"), version=version)
            )
        case "sendgrid":
            return SENDGRID.sign(body)
        case "postmark":
            return body, rig.postmark({})[1]
        case "mailgun":
            return rig.mailgun(told if isinstance(told, dict) else {})
        case _:
            at = str(int(time.time()))
            made = hmac.digest(rig.GENERIC_KEY, f"{at}.".encode() + body, "sha256").hex()
            return body, {"duly-timestamp": at, "duly-signature": f"sha256={made}"}


def _sender(chance: Chance) -> str:
    return envelope_sender(token(chance.uuid(), KEYRING), DOMAIN)


def _ses(chance: Chance) -> tuple[str, Json]:
    bounce = {"bounceType": "Permanent", "bouncedRecipients": [{"emailAddress": f"{CANARY}@business.example"}]}
    return "ses", {"eventType": "Bounce", "bounce": bounce, "mail": {"source": _sender(chance)}}


def _mailgun(chance: Chance) -> tuple[str, Json]:
    return "mailgun", {
        "event": "failed", "severity": "permanent", "recipient": f"{CANARY}@business.example",
        "user-variables": {"duly": _sender(chance)}, "delivery-status": {"code": 550, "message": CANARY},
    }  # fmt: skip


def _sendgrid(chance: Chance) -> tuple[str, Json]:
    event = {"event": "bounce", "email": f"{CANARY}@business.example", "duly": _sender(chance)}
    return "sendgrid", [{**event, "sg_event_id": chance.uuid().hex} for _ in range(chance.randrange(4))]


def _postmark(chance: Chance) -> tuple[str, Json]:
    event = {"RecordType": "Bounce", "ID": chance.getrandbits(40), "Type": "HardBounce", "Email": f"{CANARY}@b.example"}
    return "postmark", {**event, "Metadata": {"duly": _sender(chance)}}


def _generic(chance: Chance) -> tuple[str, Json]:
    events = [
        {"id": chance.uuid().hex, "kind": "permanent", "recipient": f"{CANARY}@b.example", "token": _sender(chance)}
        for _ in range(chance.choice((1, 1, 3)))
    ]
    return "generic/relay", events if len(events) > 1 or chance.one_in(2) else events[0]


_TOLD = (_ses, _mailgun, _sendgrid, _postmark, _generic)


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
    return Case("intake", raw, body, _client(chance), whole, source)


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
    return Case("intake", raw, b"", _client(chance), whole, source)


# --- the inbox --------------------------------------------------------------------------------------------------------


def inbox(chance: Chance, known: Known) -> Case:
    """A browser's request, or what looks like one: any page, with a session or without, forms with files."""
    cookie, csrf = chance.choice(known.sessions)
    headers = _cookies(cookie, chance)
    if chance.one_in(3):
        return _answer(chance, known, headers, csrf)
    page = chance.choice(PAGES)
    path = page.path
    answer = chance.choice(known.answers) if known.answers and chance.one_in(2) else {}
    for name in ("notice_id", "evidence_id", "upload_id"):
        path = path.replace(f"{{{name}}}", answer.get(name) or _id(chance, known))
    fields = {
        "csrf": csrf,
        "person": "trial:nobody",
        "language": chance.choice(("cy", "en", chance.plain())),
        "back": "//x",
    }
    body = b"" if page.method == "GET" else _form({**fields, "business": chance.plain()}, chance)
    if page.path == "/sign-out" and chance.randrange(20):
        body = b"csrf=wrong"
    path = path_of(chance, *(path,) * 9, "/notices?before=x&after=", "/duly/x.css", "/signed-in?state=a&code=b")
    method = chance.choice((page.method,) * 40 + METHODS[-7:])
    raw, whole = framed(method, path, headers, body, chance)
    return Case("inbox", raw, body, _client(chance), whole)


def _id(chance: Chance, known: Known) -> str:
    odd = (str(chance.uuid()), quote(chance.plain(), safe=""), "%00", "{}", "..%2f..", "urn:uuid:" + str(chance.uuid()))
    return chance.choice(odd) if chance.one_in(4) else str(chance.choice(known.notices))


def _cookies(cookie: str, chance: Chance) -> dict[str, str]:
    sign_in = f"duly-sign-in={CANARY}; duly-asked=%2Fnotices%2F{quote(chance.plain())}; duly-language=cy"
    if chance.one_in(6):
        cookie = chance.choice(("", CANARY, cookie[::-1], quote(chance.plain()), "a" * 4000))
    made = {"cookie": f"duly-inbox={cookie}; {sign_in}", "content-type": "application/x-www-form-urlencoded"}
    return {**made, "origin": chance.choice(("null", "https://elsewhere.example"))} if chance.one_in(6) else made


def _form(fields: dict[str, str], chance: Chance) -> bytes:
    kept = {name: value for name, value in fields.items() if chance.randrange(12)}
    written = urlencode({**kept, "note": CANARY}).encode()
    return mutated(written, chance) if chance.one_in(3) else written


def _answer(chance: Chance, known: Known, headers: dict[str, str], csrf: str) -> Case:
    """The form for an answer, with up to three files."""
    boundary = chance.choice(("x" * 20, "----WebKitFormBoundary7MA4", "'", "a b"))
    kinds = ("answer", "evidence", "question", "dispute", "question", "confirmation", chance.plain())
    parts = [("csrf", None, csrf.encode()), ("kind", None, chance.choice(kinds).encode())]
    parts.append(("text", None, chance.choice((CANARY, CANARY, CANARY, chance.plain(), "x" * 30_000)).encode()))
    parts += [("files", _filename(chance), _content(chance)) for _ in range(chance.choice((0, 0, 1, 1, 3)))]
    if chance.one_in(12):
        chance.shuffle(parts)
    body = b"".join(_part(boundary, *part) for part in parts) + f"--{boundary}--\r\n".encode()
    body = mutated(body, chance) if chance.one_in(3) else body
    made = {**headers, "content-type": f"multipart/form-data; boundary={boundary}"}
    path = f"/notices/{chance.choice(known.notices) if chance.randrange(9) else chance.uuid()}/answer"
    raw, whole = framed("POST", path, made, body, chance)
    return Case("inbox", raw, body, _client(chance), whole, cut=chance.randrange(1, len(raw)))


def _part(boundary: str, name: str, filename: str | None, content: bytes) -> bytes:
    file = "" if filename is None else f'; filename="{filename}"\r\nContent-Type: application/pdf'
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"{file}\r\n\r\n'
    return head.encode("utf-8", "replace") + content + b"\r\n"


def _filename(chance: Chance) -> str:
    ending = chance.choice(("pdf", "pdf", "PDF", "png", "jpeg", "txt", "csv", "docx", "odt", "exe"))
    return f"{chance.choice((CANARY, chance.plain(), '../../etc/x', 'a' * 400))}.{ending}"


def _content(chance: Chance) -> bytes:
    whole = (
        PDF,
        b"\x89PNG\r\n\x1a\n" + chance.blob(),
        b"\xff\xd8\xff",
        b"a;b\r\n1;2",
        b"PK\x03\x04" + chance.blob(),
        b"",
    )
    content = chance.choice(whole) + CANARY.encode()
    return mutated(content, chance) if chance.one_in(3) else content


def files(chance: Chance, known: Known) -> Case:
    """A download from the second origin: a link that was made, one that was changed, or none."""
    link = f"/{chance.uuid()}/evidence-1.pdf?size=9&until=9999999999&signature={'0' * 64}"
    link = chance.choice(known.links) if known.links and chance.randrange(4) else link
    if chance.one_in(3):
        link = mutated(link.encode(), chance).decode("latin-1").replace(" ", "").replace("\n", "").replace("\r", "")
    raw, whole = framed(chance.choice(("GET", "GET", "HEAD", "POST")), path_of(chance, link), {}, b"", chance)
    return Case("files", raw, b"", _client(chance), whole)


# --- mail -------------------------------------------------------------------------------------------------------------


def lmtp(chance: Chance, known: Known) -> Case:  # noqa: ARG001 -- as the others
    """A session over LMTP."""
    return _session("lmtp", chance)


def smtp(chance: Chance, known: Known) -> Case:  # noqa: ARG001 -- as the others
    """A session over SMTP."""
    return _session("smtp", chance)


def _session(protocol: str, chance: Chance) -> Case:
    """Commands and mails; some commands are odd, some mails are; it ends with a goodbye that is always understood."""
    hello = "LHLO" if protocol == "lmtp" else "EHLO"
    lines = [f"{hello} {CANARY}.example".encode()]
    for _ in range(chance.choice((1, 1, 2))):
        content = mutated(_report(chance), chance)
        stuffed = b"\r\n".join(b"." + line if line[:1] == b"." else line for line in content.split(b"\r\n"))
        recipients = [f"RCPT TO:<{_sender(chance)}>".encode()]
        if protocol == "lmtp" and chance.one_in(9):  # which answers for each; over SMTP one answer is for all
            recipients.append(b"RCPT TO:<postmaster>")
        lines += [b"MAIL FROM:<>", *recipients, b"DATA", stuffed, b"."]
        if chance.one_in(3):
            lines.insert(chance.randrange(1, len(lines)), _command(chance))
        if chance.one_in(6):
            at = chance.randrange(1, len(lines))
            lines[at] = mutated(lines[at], chance)
    raw = b"\r\n".join([*lines, b"", b".", b"QUIT", b""])
    whole = not chance.one_in(15)
    if not whole:
        raw = raw[: raw.find(b"DATA") + chance.randrange(40)]
    return Case(protocol, raw, raw, "127.0.0.1", whole)


_COMMANDS = (
    "NOOP", "RSET", f"VRFY {CANARY}", "HELP", "STARTTLS", "AUTH PLAIN AGEAYg==", "BDAT 9 LAST", "EXPN x",
    "MAIL FROM:<a@b> SIZE=9",
    f"RCPT TO:<{CANARY}@elsewhere.example>", "DATA now", "MAIL FROM:<> BODY=8BITMIME SMTPUTF8",
)  # fmt: skip


def _command(chance: Chance) -> bytes:
    return chance.choice((*(each.encode() for each in _COMMANDS), chance.blob(), b"X" * 3000, b"\0", b"\xff\xfe"))


def _report(chance: Chance) -> bytes:
    head = (
        f"From: MAILER-DAEMON@{CANARY}.example\r\nSubject: {chance.plain()}\r\nX-Failed-Recipients: {CANARY}@b.example"
    )
    return head.encode() + b"\r\n\r\n.\r\n" + chance.blob() + f"\r\nto {_sender(chance)}\r\n".encode()


MAKERS: dict[str, Callable[[Chance, Known], Case]] = {
    "callbacks": callback, "intake": intake, "inbox": inbox, "files": files, "lmtp": lmtp, "smtp": smtp,
}  # fmt: skip
WEIGHTS = {"callbacks": 8, "intake": 6, "inbox": 4, "files": 1, "lmtp": 3, "smtp": 2}
