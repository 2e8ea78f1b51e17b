"""`duly webhooks …`: upstreams that are told by webhook, because they cannot consume AMQP."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from services.cli import screen
from services.cli.desk import By, at_desk, done, minute, operator, show_rows, without_query
from services.cli.options import Json
from services.cli.screen import Column
from services.kernel.runtime.fault import Exit, Fault

if TYPE_CHECKING:
    from services.kernel.adapters.postgres.desk import PostgresDesk
    from services.kernel.adapters.postgres.desk_reads import Row
    from services.webhooks.poster import Answer
    from services.webhooks.settings import WebhookSettings

COLUMNS = (
    Column("source"), Column("url", fold=True), Column("keys", number=True), Column("owed", number=True),
    Column("failing", number=True), Column("delivered", number=True), Column("last"),
)  # fmt: skip
Source = Annotated[str, Parameter(help="The upstream's source, as its events name it.")]
KEYLESS = "name a key in DULY_WEBHOOK_KEYS (source:hex; `openssl rand -hex 32` makes one)"

app = App(name="webhooks", help="Upstreams that are told by webhook.")


@app.command(name="list")
def show(*, json: Json = False) -> None:
    """List who is told by webhook, where, with how many keys, and how much is owed, failing and delivered."""

    async def work(desk: PostgresDesk) -> list[Row]:
        return await desk.webhooks()

    keys = _settings().keyring()
    rows = [
        {**row, "url": without_query(row["url"]), "keys": len(keys.get(str(row["source"]), ()))}
        for row in at_desk(work)
    ]
    if json:
        show_rows(rows)
        return
    cells = (
        (row["source"], row["url"], row["keys"], row["owed"], row["failing"], row["delivered"], minute(row["last_at"]))
        for row in rows
    )
    screen.table(COLUMNS, cells, empty="No upstream is told by webhook.")
    for row in rows:
        if not row["keys"]:
            screen.line(f"{row['source']} lacks a key, and is told nothing: {KEYLESS}", screen.BAD)


@app.command
def add(
    source: Source,
    url: Annotated[str, Parameter(help="Where its events go: https://…")],
    /,
    *,
    by: By = "",
    json: Json = False,
) -> None:
    """Tell an upstream by webhook from now on, or elsewhere than until now. Earlier events are not told."""
    from services.cli import books  # noqa: PLC0415 -- heavy
    from services.webhooks.poster import url_fault  # noqa: PLC0415 -- heavy

    if fault := url_fault(url):
        raise Fault(f"this URL cannot be posted to: {fault}", url, "give another", code=Exit.USAGE)
    known = books.load().sources
    if source not in known:
        raise Fault(f"the library knows no source {source!r}", "", f"name one of {', '.join(known)}", code=Exit.USAGE)

    async def work(desk: PostgresDesk) -> None:
        async with desk.begin() as tx:
            await tx.add_webhook(source, url, by or operator())

    at_desk(work)
    keyed = source in _settings().keyring()
    url = without_query(url)
    told = f"{source} is told at {url} from now on" + ("" if keyed else f"; but it lacks a key: {KEYLESS}")
    done(told, {"source": source, "url": url, "has_key": keyed}, json=json)


@app.command
def remove(source: Source, /, *, json: Json = False) -> int:
    """Tell an upstream by webhook no more; what it is still owed is forgotten."""

    async def work(desk: PostgresDesk) -> tuple[bool, int]:
        async with desk.begin() as tx:
            return await tx.remove_webhook(source)

    was, forgotten = at_desk(work)
    if not was and not forgotten:
        raise Fault(f"{source!r} is not told by webhook", "", "duly webhooks list shows who is", code=Exit.NO)
    text = f"{source} is told by webhook no more; {screen.counted(forgotten, 'event')} will not be told"
    done(text, {"source": source, "forgotten": forgotten}, json=json)
    return Exit.OK


@app.command(name="test")
def ping(source: Source, /, *, json: Json = False) -> int:
    """Send a signed `ping.sent.v1` and show the answer; the exit code is 1 if it was not taken."""
    if source not in _settings().keyring():
        raise Fault(f"{source} lacks a key", "DULY_WEBHOOK_KEYS", KEYLESS, code=Exit.USAGE)

    async def work(desk: PostgresDesk) -> tuple[str, Answer]:
        found = await desk.webhooks(source)
        if not found:
            raise Fault(f"{source!r} is not told by webhook", "", "duly webhooks add tells it", code=Exit.NO)
        url = str(found[0]["url"])
        return url, await _pinged(desk, source, url)

    url, answer = at_desk(work)
    url = without_query(url)
    if json:
        told = {"source": source, "url": url, "taken": answer.taken, "status": answer.status, "failure": answer.failure}
        screen.json_line(told)
    elif answer.taken:
        screen.line(f"{url} took it: {answer.status}", screen.GOOD)
    else:
        screen.line(f"{url} did not take it: {answer.reason}", screen.BAD)
    return Exit.OK if answer.taken else Exit.NO


async def _pinged(desk: PostgresDesk, source: str, url: str) -> Answer:
    from services.webhooks.client import HttpPoster  # noqa: PLC0415 -- heavy
    from services.webhooks.ping import ping  # noqa: PLC0415 -- heavy

    async with desk.begin() as tx:
        clock = await tx.clock()
    settings = _settings()
    poster = HttpPoster.of(settings)
    try:
        return await ping(poster, settings, source, url, str(desk.ids.uuid7()), clock)
    finally:
        await poster.close()


def _settings() -> WebhookSettings:
    from services.kernel.runtime.settings import read  # noqa: PLC0415 -- heavy
    from services.webhooks.settings import WebhookSettings  # noqa: PLC0415 -- heavy

    return read(WebhookSettings)
