"""`duly bounces ingest`: mail that came back, stored as evidence exactly as a door would."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from services.cli import screen
from services.cli.desk import at_desk, plain
from services.cli.mail import mail_settings
from services.cli.options import Json
from services.cli.screen import Column
from services.kernel.runtime.fault import Exit, Fault

if TYPE_CHECKING:
    from services.kernel.adapters.postgres.desk import PostgresDesk
    from services.kernel.domain.changes import EvidenceStored
    from services.kernel.domain.verp import Keyring
    from services.kernel.runtime.settings import MailSettings

COLUMNS = (Column("file", fold=True), Column("evidence"), Column("attempt"), Column("addresses", fold=True))
LARGEST = 25 * 1024 * 1024
MOST_SHOWN = 3


def ingest(
    *files: Annotated[str, Parameter(allow_leading_hyphen=True, help="Mails, one a file, as they came; - is stdin.")],
    recipient: Annotated[str, Parameter(help="Whom the mail system delivered it to, if it says.")] = "",
    json: Json = False,
) -> None:
    """Take in mail that came back. It is stored before anything is made of it; `bounces` decides what it means."""
    from services.kernel.domain.verp import Keyring  # noqa: PLC0415 -- heavy

    if not files:
        raise Fault("no mail to take in", "", "name files, or - for standard input", code=Exit.USAGE)
    settings = mail_settings()
    keyring = Keyring({key.key_id: key.key for key in settings.token_keys}, settings.token_keys[0].key_id)
    mails = [(name, _mail(name)) for name in files]

    async def work(desk: PostgresDesk) -> list[tuple[str, EvidenceStored]]:
        stored = []
        with screen.progress("storing", len(mails)) as advance:
            for name, raw in mails:
                stored.append((name, await _store(desk, raw, recipient or None, settings, keyring)))
                advance(1)
        return stored

    stored = at_desk(work)
    if json:
        for name, row in stored:
            told = {"file": name, "evidence_id": row.evidence_id, "attempt_id": row.attempt_id}
            screen.json_line(plain({**told, "addresses": row.addresses}))
    else:
        screen.table(COLUMNS, (_cells(name, row) for name, row in stored))


async def _store(
    desk: PostgresDesk, raw: bytes, recipient: str | None, settings: MailSettings, keyring: Keyring
) -> EvidenceStored:
    from services.kernel.runtime.door import store  # noqa: PLC0415 -- heavy
    from services.kernel.runtime.mail_door import evidence_of_mail  # noqa: PLC0415 -- heavy

    row = evidence_of_mail(
        raw,
        recipient,
        door="cli",
        keyring=keyring,
        bounce_domain=settings.bounce_domain,
        own_domains=[settings.message_domain],
        ids=desk.ids,
    )
    async with desk.begin() as tx:
        await store(tx, [row], "bounce.received.v1", desk.ids)
    return row


def _mail(name: str) -> bytes:
    try:
        raw = sys.stdin.buffer.read(LARGEST + 1) if name == "-" else Path(name).read_bytes()
    except OSError as error:
        raise Fault(f"the mail cannot be read ({error.strerror})", name, "name a file", code=Exit.USAGE) from error
    if not raw.strip():
        raise Fault("the mail is empty", name, "nothing was stored", code=Exit.USAGE)
    if len(raw) > LARGEST:
        raise Fault(f"the mail is larger than {LARGEST} bytes", name, "nothing was stored", code=Exit.USAGE)
    return raw


def _cells(name: str, row: EvidenceStored) -> tuple[object, ...]:
    from services.cli.desk import short  # noqa: PLC0415 -- beside its only use

    more = [f"and {len(row.addresses) - MOST_SHOWN} more"] if len(row.addresses) > MOST_SHOWN else []
    return name, short(row.evidence_id), short(row.attempt_id) or "no token", [*row.addresses[:MOST_SHOWN], *more]
