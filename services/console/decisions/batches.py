"""Brake batches: made from what the brake alone holds, sampled, judged case by case, released or rejected."""

from __future__ import annotations

from uuid import UUID

from starlette.responses import Response

from services.console.decisions.acting import Done, acted
from services.console.decisions.case import answer_of, story
from services.console.ports import ConsoleDesk
from services.console.roles import Act
from services.console.shown import TONES
from services.console.visit import Page, Pages, Problem, Visit
from services.kernel.domain.sample import sample_size
from services.kernel.ledger.desk import Row
from services.kernel.runtime.desk import Word
from services.kernel.runtime.desk_brakes import Verdict, judge_sampled, make_batch, reject_batch, release_batch
from services.kernel.runtime.fault import Fault

HERE = "/sanctions/batches"
MOST = 100
_VERDICTS: dict[str, Verdict] = {"right": "right", "wrong": "wrong"}


async def batches(visit: Visit) -> Response:
    """Batches, and how many each brake alone holds."""
    async with visit.desk() as desk:
        rows = await desk.batches(state=None, most=MOST)
        brakes = await desk.brakes()
    taken = {row["kind"] for row in rows if row["state"] == "open"}
    held = [
        {**row, "sample": sample_size(int(str(row["held"])))}
        for row in brakes
        if row["held"] and row["kind"] not in taken
    ]
    return visit.write("decisions/batches.html", rows=rows, held=held)


async def make(visit: Visit) -> Response:
    """Make a batch of a kind."""
    kind = visit.fields.get("kind")

    async def work(desk: ConsoleDesk, word: Word) -> Done:
        made = await make_batch(desk, visit.site.ids, kind, word)
        told = f"The batch has {made.count} cases; {made.drawn} of them were drawn at random, to be looked at."
        return Done(told, f"{HERE}/{made.batch_id}")

    return await acted(visit, HERE, work)


async def batch(visit: Visit) -> Response:
    """One batch with its sample."""
    async with visit.desk() as desk:
        row = await _row(desk, visit.id("batch_id"))
        cases = await desk.batch_items(UUID(str(row["batch_id"])), sampled=True)
    return visit.write("decisions/batch.html", tones=TONES, row=row, cases=cases, next=_next(cases))


def _next(cases: list[Row]) -> int | None:
    """The first case that nobody has judged."""
    return next((int(str(each["number"])) for each in cases if each["verdict"] is None), None)


async def _row(desk: ConsoleDesk, batch_id: UUID) -> Row:
    rows = await desk.batches(state=None, most=1, batch_id=batch_id)
    if not rows:
        raise Problem(404, "not_found")
    return rows[0]


async def case(visit: Visit) -> Response:
    """One case of a batch: the notice with its story, what the gate would say if it were released, the judgements."""
    batch_id, number = visit.id("batch_id"), _number(visit)
    async with visit.desk() as desk:
        row = await _row(desk, batch_id)
        items = await desk.batch_items(batch_id, sampled=False, after=number - 1, most=1)
        if not items or items[0]["number"] != number:
            raise Problem(404, "not_found")
        notice_id = UUID(str(items[0]["notice_id"]))
        (notice,) = await desk.notices_named([notice_id])
        answer = await answer_of(visit, desk, notice, released=True)
        facts = (await desk.chains([notice_id]))[notice_id]
        judgements = await desk.judgements(batch_id, number)
    await visit.note(Act.BATCH, notice_id=notice_id, detail=f"looked at case {number} of batch {batch_id}")
    return visit.write(
        "decisions/batch_case.html", tones=TONES, row=row, item=items[0], notice=notice, answer=answer,
        steps=story(facts), judgements=judgements,
    )  # fmt: skip


def _number(visit: Visit) -> int:
    text = str(visit.request.path_params["number"])
    if not (text.isascii() and text.isdigit() and len(text) < 8):  # noqa: PLR2004 -- fewer than ten million
        raise Problem(404, "not_found")
    return int(text)


async def judge(visit: Visit) -> Response:
    """Judge a case of the sample, and go on to the next that nobody has judged."""
    batch_id, number = visit.id("batch_id"), _number(visit)
    here = f"{HERE}/{batch_id}/{number}"
    verdict = _VERDICTS.get(visit.fields.get("verdict"))
    if verdict is None:
        return await visit.refused(here, Fault("say whether the sanction is right or wrong"))

    async def work(desk: ConsoleDesk, word: Word) -> Done:
        await judge_sampled(desk, batch_id, number, verdict, word)
        following = _next(await desk.batch_items(batch_id, sampled=True))
        return Done(
            f"Case {number} is judged {verdict}.", f"{HERE}/{batch_id}" + (f"/{following}" if following else "")
        )

    return await acted(visit, here, work)


async def release(visit: Visit) -> Response:
    """Release the whole batch from the brake."""
    batch_id = visit.id("batch_id")

    async def work(desk: ConsoleDesk, word: Word) -> Done:
        done = await release_batch(desk, batch_id, word)
        return Done(f"Released: {done.count} sanctions go past the brake. The gate still weighs everything else.")

    return await acted(visit, f"{HERE}/{batch_id}", work)


async def reject(visit: Visit) -> Response:
    """Decline every sanction of the batch."""
    batch_id = visit.id("batch_id")

    async def work(desk: ConsoleDesk, word: Word) -> Done:
        done = await reject_batch(desk, batch_id, word)
        return Done(f"Rejected: {done.count} sanctions are declined. The gate closes their notices.")

    return await acted(visit, f"{HERE}/{batch_id}", work)


PAGES: Pages = (
    Page("GET", HERE, batches, Act.LOOK),
    Page("POST", HERE, make, Act.BATCH),
    Page("GET", HERE + "/{batch_id}", batch, Act.LOOK),
    Page("POST", HERE + "/{batch_id}/release", release, Act.BATCH),
    Page("POST", HERE + "/{batch_id}/reject", reject, Act.BATCH),
    Page("GET", HERE + "/{batch_id}/{number}", case, Act.BATCH),
    Page("POST", HERE + "/{batch_id}/{number}/judge", judge, Act.BATCH),
)
