"""`duly sending …`: the brake that stops all mail."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cyclopts import App

from services.cli import screen
from services.cli.desk import By, Why, at_desk, done, said, show_rows, when
from services.cli.options import Json
from services.kernel.runtime.fault import Exit

if TYPE_CHECKING:
    from services.kernel.adapters.postgres.desk import PostgresDesk
    from services.kernel.adapters.postgres.desk_reads import Row

app = App(name="sending", help="See, use and release the brake that stops all mail.")


@app.command
def show(*, json: Json = False) -> int:
    """Say whether mail may leave; the exit code is 1 while it may not."""

    async def work(desk: PostgresDesk) -> Row:
        return await desk.sending()

    row = at_desk(work)
    if json:
        show_rows([row])
    elif row["is_on"]:
        until = f"until {when(row['until'])} UTC" if row["until"] else "until a person releases it"
        screen.line(f"mail is stopped since {when(row['on_since'])} UTC, {until}", screen.BAD)
        screen.line(f"{row['reason']} (by {row['changed_by']})")
        screen.line("duly sending release --reason … lets it leave again", screen.QUIET)
    else:
        screen.line("mail may leave", screen.GOOD)
    return Exit.NO if row["is_on"] else Exit.OK


@app.command
def stop(*, reason: Why, by: By = "", json: Json = False) -> None:
    """Let no mail leave until a person releases it."""
    word = said(by, reason)

    async def work(desk: PostgresDesk) -> bool:
        was = bool((await desk.sending())["is_on"])
        async with desk.begin() as tx:
            await tx.stop_sending(word)
        return was

    was = at_desk(work)
    done(f"mail is stopped{', as before' if was else ''}; by {word.by}", {"was_stopped": was}, json=json)


@app.command
def release(*, reason: Why, by: By = "", json: Json = False) -> None:
    """Let mail leave again."""
    word = said(by, reason)

    async def work(desk: PostgresDesk) -> bool:
        was = bool((await desk.sending())["is_on"])
        async with desk.begin() as tx:
            await tx.release_sending(word)
        return was

    was = at_desk(work)
    done(f"mail may leave{'' if was else ', as before'}; released by {word.by}", {"was_stopped": was}, json=json)
