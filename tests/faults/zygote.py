"""zygote - starts workers as processes in milliseconds, for tests that kill hundreds of them.

    python -m tests.faults.zygote

A worker takes a second to import its libraries; on two cores, four hundred starts would take longer than all other
tests. So one process imports everything once and then forks a child a request, before any loop, thread or
connection exists in it. The child opens its own session and log, sets its environment, and runs
`services.<worker>.__main__.main()`, as `python -m services.<worker>` does. What is killed is a process of its own, with
its own connections; only imports are shared.

One JSON line in, one out: `{"do": "start", "worker": …, "log": FILE, "environment": {…}}` answers `{"pid": …}`;
`{"do": "end", "pid": …, "signal": 9}` signals a child (0: does not), waits for it, and answers `{"status": …}`,
negative for a signal as `subprocess` has it. Children are reaped only here, so that a pid means one
child for as long as a test may name it. When its input ends, it kills its children and ends.

`DULY_TEST_POISON` in a child's environment: it dies as soon as it is to work on a message with these bytes in it.
"""

from __future__ import annotations

import asyncio
import gc
import importlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn, Self

CHECKOUT = Path(__file__).parents[2]


class Zygote:
    """The process that forks, as a test sees it."""

    def __init__(self) -> None:
        self._answers = asyncio.Lock()
        self._process: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> Self:
        command = [sys.executable, "-m", "tests.faults.zygote"]
        self._process = await asyncio.create_subprocess_exec(
            *command, cwd=CHECKOUT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.close()
        await self._process.wait()

    async def start(self, worker: str, log: Path, environment: dict[str, str]) -> int:
        """Start a worker; its process id."""
        return (await self._ask(do="start", worker=worker, log=str(log), environment=environment))["pid"]

    async def end(self, pid: int, number: signal.Signals) -> int:
        """Signal a child and wait for its end; its exit status, negative for the signal that ended it."""
        return (await self._ask(do="end", pid=pid, signal=int(number)))["status"]

    async def ended(self, pid: int) -> int:
        """Wait until a child ends of itself; nothing else can be asked meanwhile."""
        return (await self._ask(do="end", pid=pid, signal=0))["status"]

    async def _ask(self, **request: object) -> dict[str, Any]:
        assert self._process is not None
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        async with self._answers:
            self._process.stdin.write(json.dumps(request).encode() + b"\n")
            answer = await self._process.stdout.readline()
        assert answer, "the zygote is gone"
        return json.loads(answer)


def main() -> None:
    """Fork on request until the input ends."""
    from tests.rig.system import WORKERS  # noqa: PLC0415 -- only the process itself pays for it

    modules = {worker: importlib.import_module(f"services.{worker}.__main__") for worker in WORKERS}
    _warm()
    gc.collect()
    gc.freeze()
    children: set[int] = set()
    requests = os.fdopen(os.dup(0), "rb")
    for line in requests:
        request = json.loads(line)
        if request["do"] == "start":
            pid = os.fork()
            if pid == 0:
                requests.close()
                _live(modules[request["worker"]], request)
            children.add(pid)
            _say({"pid": pid})
        else:
            children.discard(request["pid"])
            os.kill(request["pid"], request["signal"])
            _, status = os.waitpid(request["pid"], 0)
            _say({"status": os.waitstatus_to_exitcode(status)})
    for pid in children:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def _warm() -> None:
    """Import what is imported late: the calendars of the regimes' countries."""
    from services.kernel.adapters.parts import LIBRARY, load_library  # noqa: PLC0415 -- as above

    load_library(LIBRARY)


def _say(answer: dict[str, int]) -> None:
    os.write(1, json.dumps(answer).encode() + b"\n")


def _poison(bytes_that_kill: bytes) -> None:
    """From here on, this process dies as soon as it is to work on a message that has these bytes in it."""
    from services.kernel.runtime import batch  # noqa: PLC0415 -- as above

    decide = batch.decide

    async def dying(handler: Any, tx: Any, items: Any) -> Any:
        if any(bytes_that_kill in item.delivery.body for item in items):
            os.kill(os.getpid(), signal.SIGKILL)
        return await decide(handler, tx, items)

    if bytes_that_kill:
        batch.decide = dying


def _live(module: ModuleType, request: dict[str, Any]) -> NoReturn:
    """The child: a worker's process from here on."""
    code = 70
    try:
        os.setsid()
        nothing, log = os.open(os.devnull, os.O_RDONLY), os.open(request["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(nothing, 0)
        os.dup2(log, 1)
        os.dup2(log, 2)
        os.environ.clear()
        os.environ.update(request["environment"])
        _poison(os.environ.get("DULY_TEST_POISON", "").encode())
        code = module.main()
    except BaseException:  # noqa: BLE001 -- nothing may return into the zygote's loop
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    main()
