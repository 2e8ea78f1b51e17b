"""Every page of the inbox with sample views, each stage and each fault, and every part of the kit, in each language.

To look at them: `.venv/bin/uvicorn --factory tests.web.gallery:app`, then `http://127.0.0.1:8000/en/notices`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from itertools import cycle
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from markupsafe import Markup
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from services.inbox import views
from services.inbox.views import Stage
from services.kernel.adapters.pages import Pages
from services.kernel.adapters.web.headers import SecurityHeaders

INBOX = Path(__file__).parents[2] / "services" / "inbox"
KIT = Path(__file__).parent / "kit"
ZONE = ZoneInfo("Europe/London")
TODAY = datetime(2026, 11, 22, 9, 12, 41, tzinfo=ZONE)
TANNER = views.Business("XK0417", "Tanner & Lowe")
DIGEST = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
RULES = views.UploadRules(5, 10, ("PDF", "PNG", "JPEG", "DOCX", "XLSX", "TXT"))
LONG_NAME = "Risk-assessment-and-policies-of-the-whole-group_final-version_signed-by-both-partners_2026.pdf"

BODIES = {
    "en": """<p>To: Tanner &amp; Lowe</p>
<p>Case reference: RA-2026-0093</p>
<p>We need to see how your business has assessed the risk that it is used for money laundering. The law asks you to keep
this assessment in writing and up to date.</p>
<h2>What you must do</h2>
<p>Within <strong>21 days</strong> of the day this notice is served, send us:</p>
<ul>
<li>your written risk assessment, with the date on which it was last reviewed;</li>
<li>the policies and controls that you use to reduce those risks;</li>
<li>the name of the person responsible for them.</li>
</ul>
<p>The day of service is not counted. Your reply is in time if we receive it by the end of the last day.</p>
<h2>What happens next</h2>
<p>We will look at what you send and tell you if we need anything else. If we do not hear from you in time, we may
decide with the information that we have.</p>
<p>Supervision team</p>""",
    "cy": """<p>At: Tanner &amp; Lowe</p>
<p>Cyfeirnod yr achos: RA-2026-0093</p>
<h2>Beth mae'n rhaid i chi ei wneud</h2>
<p>O fewn <strong>21 diwrnod</strong> i'r diwrnod y cyflwynir yr hysbysiad hwn, anfonwch atom:</p>
<ul>
<li>eich asesiad risg ysgrifenedig, gyda'r dyddiad y cafodd ei adolygu ddiwethaf;</li>
<li>enw'r person sy'n gyfrifol amdano.</li>
</ul>
<p>Y tîm goruchwylio</p>""",
}
SUBJECTS = {"en": "We need your risk assessment", "cy": "Mae angen eich asesiad risg arnom"}
OTHERS = {
    "en": ("Your registration has been updated", "Your supervision fee has not been paid"),
    "cy": ("Mae'ch cofrestriad wedi'i ddiweddaru", "Nid yw'ch ffi oruchwylio wedi'i thalu"),
}
FOLLOWS = {
    Stage.OPEN: "registration.cancel",
    Stage.OVERDUE: "registration.cancel",
    Stage.CONSEQUENCE: "registration.cancel",
    Stage.REVERSAL: "registration.cancel",
    Stage.UNDONE: "registration.cancel",
}
WITHOUT_DUE = {Stage.FOR_INFORMATION, Stage.NOT_SERVED, Stage.WITHDRAWN}
PASSED = {Stage.OVERDUE, Stage.CONSEQUENCE, Stage.REVERSAL, Stage.UNDONE, Stage.CLOSED}


@dataclass(frozen=True)
class Exhibit:
    """One page to be looked at. `alike`: it differs from another in a few words only, and spares a browser the look."""

    name: str
    template: str
    language: str
    values: dict[str, Any]
    status: int = 200
    alike: bool = False


def inbox_pages() -> Pages:
    return Pages(INBOX / "templates", INBOX / "words")


def kit_pages() -> Pages:
    return Pages(KIT / "templates", KIT / "words")


def app() -> ASGIApp:
    """The gallery as a site, with the headers of a real one: `/{language}/{name}`, and the kit itself at `…/kit`."""
    inbox, kit = inbox_pages(), kit_pages()
    shown = {(each.language, each.name): each for language in inbox.languages for each in exhibits(language)}

    async def show(request: Request) -> Response:
        language, name = request.path_params["language"], request.path_params["name"]
        if name == "kit":
            return kit.write("kit.html", language, reader=reader(language), day=TODAY)
        each = shown[language, name]
        return inbox.write(each.template, language, each.status, **each.values)

    return SecurityHeaders(Starlette(routes=[inbox.static, Route("/{language}/{name}", show)]))


def reader(language: str, *, several: bool = True) -> views.Reader:
    others = (views.Business("XK0982", "Harbour Street Money Exchange and Transfers Limited"),) if several else ()
    return views.Reader("Ann Tanner", TANNER, (TANNER, *others), language, "0" * 32)


def due(stage: Stage, days_left: int = 21) -> views.Due | None:
    if stage in WITHOUT_DUE:
        return None
    passed = stage in PASSED
    last = date(2026, 11, 15) if passed else TODAY.date() + timedelta(days=days_left)
    until = datetime.combine(last + timedelta(days=1), datetime.min.time(), ZONE)
    return views.Due(last, until, 0 if passed else days_left, passed, FOLLOWS.get(stage))


def _due(stage: Stage, days_left: int = 21) -> views.Due:
    found = due(stage, days_left)
    assert found is not None
    return found


def line(stage: Stage, language: str, *, unread: bool = False, days_left: int = 21) -> views.Line:
    number = list(Stage).index(stage) + 1
    return views.Line(
        notice_id=f"0199-{number:04}",
        subject=SUBJECTS[language],
        reference=f"RA/2026/00{number:02}",
        came_at=TODAY - timedelta(days=3 * number, hours=number),
        unread=unread,
        stage=stage,
        due=due(stage, days_left),
        language=language,
    )


def given(kind: str = "evidence", *, in_time: bool | None = True) -> views.Given:
    files = (
        views.File("1.pdf", LONG_NAME, 2_418_000, DIGEST, "/notices/0199-0001/files/1"),
        views.File("2.png", "lease.png", 310_400, DIGEST[::-1], "/notices/0199-0001/files/2"),
    )
    text = "Here is our risk assessment, last reviewed on 3 October.\nMs Lowe is responsible for it."
    return views.Given("0199a4e2-77aa-7c31-9d2e-3b1d2f6f0a11", TODAY, kind, "Ann Tanner", text, files, in_time)


def message(stage: Stage, language: str, **changes: Any) -> views.Message:
    answered = stage in {Stage.ANSWERED, Stage.UNDER_REVIEW, Stage.CONSEQUENCE}
    asks = () if stage is Stage.FOR_INFORMATION else ("answer", "evidence")
    may_give = (
        ("answer", "evidence", "question", "dispute")
        if stage in {Stage.OPEN, Stage.UNDER_REVIEW, Stage.OVERDUE}
        else ()
    )
    whole = views.Message(
        line=line(stage, language),
        body=Markup(BODIES[language]),
        language=language,
        digest=DIGEST,
        viewed_at=TODAY - timedelta(days=2),
        viewed_by="Ann Tanner",
        asks=asks,
        may_give=may_give,
        given=(
            given("question" if stage is Stage.UNDER_REVIEW else "evidence", in_time=stage is not Stage.CONSEQUENCE),
        )
        if answered
        else (),
    )
    return replace(whole, **changes)


def exhibits(language: str) -> Iterator[Exhibit]:
    """Every page in one language."""
    yield from _before_signing_in(language)
    yield from _lists(language)
    for stage in Stage:
        yield Exhibit(
            f"notice-{stage}",
            "notice.html",
            language,
            {"reader": reader(language), "message": message(stage, language)},
        )
    yield from _special_notices(language)
    yield from _answers(language)
    yield from _rarer(language)
    for key, status in PROBLEMS.items():
        values = {"reader": None, "status": status, "key": key}
        yield Exhibit(f"problem-{key}", "problem.html", language, values, status, alike=key != "not_found")


PROBLEMS = {
    "not_found": 404,
    "erased": 410,
    "form_expired": 403,
    "session_ended": 401,
    "sign_in_failed": 401,
    "not_allowed": 403,
    "too_many": 429,
    "too_large": 413,
    "incomplete": 400,
    "method": 405,
    "unavailable": 503,
    "unexpected": 500,
}


def _before_signing_in(language: str) -> Iterator[Exhibit]:
    people = [
        ("ann", "Ann Tanner", "Tanner & Lowe"),
        ("owen", "Owen Rhys", "Tanner & Lowe, Harbour Street Money Exchange"),
    ]
    yield Exhibit("sign-in", "sign_in.html", language, {"trial": False, "people": []})
    yield Exhibit("sign-in-trial", "sign_in.html", language, {"trial": True, "people": people})
    yield Exhibit("signed-out", "signed_out.html", language, {})


def _lists(language: str) -> Iterator[Exhibit]:
    alone = replace(reader(language), business=None, businesses=())
    yield Exhibit("businesses", "businesses.html", language, {"reader": reader(language)})
    yield Exhibit("businesses-none", "businesses.html", language, {"reader": alone})
    unread = {Stage.OPEN, Stage.FOR_INFORMATION}
    lines = [line(stage, language, unread=stage in unread) for stage in Stage]
    subjects = cycle((*OTHERS[language], SUBJECTS[language]))
    lines = [replace(each, subject=subject) for each, subject in zip(lines, subjects, strict=False)]
    soon = replace(line(Stage.OPEN, language, days_left=0), notice_id="0199-0099", reference="RA/2026/0099")
    page = views.Lines((soon, *lines), 2, "before=0199-0001", "after=0199-0009")
    yield Exhibit("notices", "notices.html", language, {"reader": reader(language), "page": page})
    yield Exhibit(
        "notices-empty",
        "notices.html",
        language,
        {"reader": reader(language, several=False), "page": views.Lines((), 0, None, None)},
    )


def _special_notices(language: str) -> Iterator[Exhibit]:
    other = {"en": "cy", "cy": "en"}[language]
    fee = message(
        Stage.OPEN, language, asks=("payment",), may_give=("question", "dispute"), viewed_at=None, viewed_by=None
    )
    extended = replace(_due(Stage.OPEN, 1), extended=True, for_outage=True, follows=None)
    yield Exhibit("notice-fee", "notice.html", language, {"reader": reader(language), "message": fee})
    longer = message(Stage.OPEN, other, line=replace(line(Stage.OPEN, other), due=extended))
    yield Exhibit("notice-other-language", "notice.html", language, {"reader": reader(language), "message": longer})
    yield Exhibit(
        "print", "print.html", language, {"reader": reader(language), "message": message(Stage.ANSWERED, language)}
    )


def _answers(language: str) -> Iterator[Exhibit]:
    asked = message(Stage.OPEN, language)
    shared = {"reader": reader(language), "message": asked}
    yield Exhibit("answer", "answer.html", language, {**shared, "draft": views.Draft(), "rules": RULES, "minutes": 30})
    faults = (
        ("kind", "faults.kind_missing"),
        ("text", "faults.text_missing"),
        ("files", "faults.file_type"),
        ("files", "faults.file_too_large"),
    )
    yield Exhibit(
        "answer-faults",
        "answer.html",
        language,
        {**shared, "draft": views.Draft(faults=faults), "rules": RULES, "minutes": 30},
        422,
    )
    yield Exhibit("received", "received.html", language, {**shared, "given": given()})
    yield Exhibit("received-question", "received.html", language, {**shared, "given": given("question")})
    late = {**shared, "message": message(Stage.OVERDUE, language), "given": given(in_time=False)}
    yield Exhibit("received-late", "received.html", language, late)


def _rarer(language: str) -> Iterator[Exhibit]:
    who = {"reader": reader(language)}
    for stage in (Stage.OPEN, Stage.OVERDUE, Stage.CONSEQUENCE):
        unknown = replace(line(stage, language), due=replace(_due(stage), follows="licence.suspend"))
        values = {**who, "message": message(stage, language, line=unknown, asks=("evidence",))}
        yield Exhibit(f"notice-{stage}-unknown-sanction", "notice.html", language, values, alike=True)
    plain = replace(message(Stage.OPEN, language), asks=("confirmation",), may_give=("confirmation",))
    yield Exhibit("notice-confirm", "notice.html", language, {**who, "message": plain}, alike=True)
    endless = replace(plain, line=replace(plain.line, due=None))
    yield Exhibit("notice-without-deadline", "notice.html", language, {**who, "message": endless}, alike=True)
    nothing = {**who, "message": plain, "draft": views.Draft(), "rules": RULES, "minutes": 30}
    yield Exhibit("answer-confirm", "answer.html", language, nothing, alike=True)
    for stage in (Stage.FOR_INFORMATION, Stage.CONSEQUENCE):
        told = message(stage, language, may_give=("question", "dispute"))
        asked = {**who, "message": told, "draft": views.Draft(), "rules": RULES, "minutes": 30}
        yield Exhibit(f"answer-{stage}", "answer.html", language, asked, alike=True)
        sent = {**who, "message": told, "given": given("question", in_time=None)}
        yield Exhibit(f"received-{stage}", "received.html", language, sent, alike=True)
    gone = replace(line(Stage.ANSWERED, language), subject="", language="", erased_on=date(2032, 11, 23))
    empty = replace(given(), kind="", text="", by="", files=(), erased_on=gone.erased_on, digest=DIGEST)
    erased = message(Stage.ANSWERED, language, line=gone, body=Markup(), given=(empty,))
    for name in ("notice", "print"):
        yield Exhibit(f"{name}-erased", f"{name}.html", language, {**who, "message": erased}, alike=name == "print")
    lines = views.Lines((gone, line(Stage.OPEN, language)), 0, None, None)
    yield Exhibit("notices-erased", "notices.html", language, {**who, "page": lines}, alike=True)
    kept = message(Stage.ANSWERED, language)
    kept = replace(kept, line=replace(kept.line, kept_until=date(2032, 11, 22)))
    yield Exhibit("notice-kept", "notice.html", language, {**who, "message": kept}, alike=True)
    read = views.Lines((line(Stage.CLOSED, language),), 0, None, None)
    yield Exhibit("notices-read", "notices.html", language, {**who, "page": read}, alike=True)
