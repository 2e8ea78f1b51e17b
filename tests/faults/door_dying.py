"""A door's process that dies at given moments of its work and is started anew each time, as a supervisor does.

    python tests/faults/door_dying.py callbacks commit answer

runs `services.callbacks` three times: the first dies by SIGKILL at `commit`, the second at `answer`, the last lives.
The moments:

    part    a part of an uploaded file is committed, and its answer is not whole yet
    commit  what was brought is committed; its bringer is not answered
    answer  the answer has been given to the system's socket; the broker has not been told

Says `door.died` in a log line after each death. Lives are forked, so that libraries are imported once.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

sys.path.insert(0, str(Path(__file__).parents[2]))

from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from services.callbacks.mail_dialogue import Dialogue
from services.kernel.adapters.postgres.inbox import PostgresInboxTransaction
from services.kernel.runtime.door import Travel


def die() -> NoReturn:
    """As by `kill -9`, at once."""
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("alive after SIGKILL")


def at_part() -> None:
    """When the first part of a file is committed."""
    add_part = PostgresInboxTransaction.add_part

    async def dying(tx: PostgresInboxTransaction, *given: Any) -> None:
        await add_part(tx, *given)
        die()

    PostgresInboxTransaction.add_part = dying


def at_commit() -> None:
    """Every door tells its `Travel` what it has committed, before any bringer is answered."""

    def dying(_travel: Travel, unsent: Sequence[object]) -> None:
        if unsent:
            die()

    Travel.send = dying


def at_answer() -> None:
    """Nothing is told to the broker, and when the next answer is on its way the process is gone."""
    committed: list[object] = []
    respond, push = RequestResponseCycle.send, Dialogue.push

    async def responding(cycle: RequestResponseCycle, message: Any) -> None:
        await respond(cycle, message)
        if committed and message["type"] == "http.response.body" and not message.get("more_body"):
            die()

    async def pushing(dialogue: Dialogue, status: str | bytes) -> None:
        await push(dialogue, status)
        if committed:
            die()

    Travel.send = lambda _travel, unsent: committed.extend(unsent)
    RequestResponseCycle.send = responding
    Dialogue.push = pushing


MOMENTS = {"part": at_part, "commit": at_commit, "answer": at_answer}


def main() -> int:
    """Live as often as there are moments to die at, and then once more."""
    worker, *moments = sys.argv[1:]
    module = importlib.import_module(f"services.{worker}.__main__")
    for moment in moments:
        if (pid := os.fork()) == 0:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            MOMENTS[moment]()
            os._exit(module.main())
        signal.signal(signal.SIGTERM, lambda *_, pid=pid: os.kill(pid, signal.SIGTERM))
        _, status = os.waitpid(pid, 0)
        ended = os.waitstatus_to_exitcode(status)
        if ended != -signal.SIGKILL:
            return ended
        os.write(1, json.dumps({"event": "door.died", "moment": moment}).encode() + b"\n")
    return int(module.main())


if __name__ == "__main__":
    sys.exit(main())
