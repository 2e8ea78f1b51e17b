"""Requests of browsers, or what looks like one: pages, forms, answers with files, downloads."""

from __future__ import annotations

from urllib.parse import quote, urlencode

from services.inbox.app import PAGES
from tests.doors.fuzz_chance import (
    CANARY,
    Case,
    Chance,
    mutated,
)
from tests.doors.fuzz_http import METHODS, Known, client_of, framed, path_of
from tests.rig.inbox import PDF


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
    return Case("inbox", raw, body, client_of(chance), whole)


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
    return Case("inbox", raw, body, client_of(chance), whole, cut=chance.randrange(1, len(raw)))


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
    return Case("files", raw, b"", client_of(chance), whole)
