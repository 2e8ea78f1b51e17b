"""`duly addresses …`: addresses that must not be written to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from services.cli import screen
from services.cli.desk import By, Most, Why, at_desk, done, minute, said, show_rows
from services.cli.options import Json
from services.cli.screen import Column
from services.kernel.domain.addresses import address_fault, matching_key
from services.kernel.runtime.fault import Exit, Fault

if TYPE_CHECKING:
    from services.kernel.adapters.postgres.desk import PostgresDesk
    from services.kernel.adapters.postgres.desk_reads import Row

COLUMNS = (Column("address", fold=True), Column("since"), Column("reason", fold=True))
Address = Annotated[str, Parameter(help="An e-mail address.")]

app = App(name="addresses", help="Addresses that must not be written to.")


@app.command(name="list")
def show(
    *,
    contains: Annotated[str, Parameter(help="Those that contain this.")] = "",
    limit: Most = 100,
    json: Json = False,
) -> None:
    """List suppressed addresses, newest first."""

    async def work(desk: PostgresDesk) -> list[Row]:
        return await desk.addresses(like=contains.lower() or None, most=limit)

    rows = at_desk(work)
    if json:
        show_rows(rows)
    else:
        cells = ((row["address"], minute(row["since"]), row["reason"]) for row in rows)
        screen.table(COLUMNS, cells, empty="No address is suppressed.")


@app.command
def suppress(address: Address, /, *, reason: Why, by: By = "", json: Json = False) -> None:
    """Write to this address no more: a notice to it is unserved at once."""
    key, word = _key(address), said(by, reason)

    async def work(desk: PostgresDesk) -> bool:
        async with desk.begin() as tx:
            return await tx.suppress(key, word)

    new = at_desk(work)
    text = f"{key} is {'' if new else 'already '}suppressed"
    done(text, {"address": key, "suppressed": True, "changed": new}, json=json)


@app.command
def release(address: Address, /, *, json: Json = False) -> int:
    """Write to this address again."""
    key = _key(address)

    async def work(desk: PostgresDesk) -> bool:
        async with desk.begin() as tx:
            return await tx.release_address(key)

    was = at_desk(work)
    if not was:
        raise Fault(f"{key} is not suppressed", "", "duly addresses list shows those that are", code=Exit.NO)
    done(f"{key} may be written to again", {"address": key, "suppressed": False, "changed": True}, json=json)
    return Exit.OK


def _key(address: str) -> str:
    if fault := address_fault(address):
        raise Fault(fault, "", "give one e-mail address", code=Exit.USAGE)
    return matching_key(address)
