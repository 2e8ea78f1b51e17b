"""What comes to the doors in a fuzz run, by door, and how often."""

from __future__ import annotations

from collections.abc import Callable

from tests.doors.fuzz_callbacks import callback
from tests.doors.fuzz_chance import Case, Chance
from tests.doors.fuzz_console import console
from tests.doors.fuzz_http import Known
from tests.doors.fuzz_inbox import files, inbox
from tests.doors.fuzz_intake import intake
from tests.doors.fuzz_mail import lmtp, smtp

MAKERS: dict[str, Callable[[Chance, Known], Case]] = {
    "callbacks": callback, "intake": intake, "inbox": inbox, "files": files, "console": console, "lmtp": lmtp,
    "smtp": smtp,
}  # fmt: skip
WEIGHTS = {"callbacks": 8, "intake": 6, "inbox": 4, "files": 1, "console": 3, "lmtp": 3, "smtp": 2}
