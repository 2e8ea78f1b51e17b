"""The command `duly`: runs the application and turns faults into words and exit codes.

Exit codes: 0 done; 1 the answer is no; 2 the command line, a setting or a file is wrong; 3 something cannot be reached;
130 interrupted.
"""

from __future__ import annotations

import os
import sys

from cyclopts import CycloptsError

from services.cli import screen
from services.cli.app import app
from services.kernel.runtime.fault import Exit, Fault
from services.kernel.runtime.logging import configure

INTERRUPTED = 130


def main() -> None:
    """Run the command of `sys.argv` and leave with its exit code; what is logged goes to stderr."""
    configure("duly", "warning")
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run one command line; returns the exit code."""
    try:
        answer = app(arguments, exit_on_error=False, result_action="return_value")
        sys.stdout.flush()
    except CycloptsError:
        return Exit.USAGE  # the application has said what is wrong
    except Fault as fault:
        screen.tell(fault)
        return fault.code
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read has what they wanted (`| head`); the interpreter must not complain when it flushes at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.OK
    return answer if isinstance(answer, int) else Exit.OK


if __name__ == "__main__":
    main()
