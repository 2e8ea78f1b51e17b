"""`python -m services.bounces`: bounces as a process."""

from __future__ import annotations

import sys

from services.bounces.handler import Bounces
from services.kernel.adapters.parts import Parts, keyring, open_parts
from services.kernel.adapters.process import queue_worker, run
from services.kernel.runtime.program import Worker
from services.kernel.runtime.settings import MailSettings, read


def build(parts: Parts) -> Worker:
    """The worker for the mail system's reports, put together."""
    mail = read(MailSettings)
    return queue_worker(Bounces(parts.ids, keyring(mail), mail.bounce_domain, mail.message_domain), parts)


def main() -> int:
    """Run until SIGTERM."""
    return run("bounces", open_parts, build)


if __name__ == "__main__":
    sys.exit(main())
