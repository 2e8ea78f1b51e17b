"""`flufl.bounce` as one guarded voice among several: asked only about a mail that looks like a report.

It raises on some mails, takes delivery mails for failures and costs 0.43 s a megabyte: so it sees only the beginning,
and what it says is worth nothing alone.
"""

from __future__ import annotations

import email
import email.policy
import logging

from services.bounces.classify.addresses import clean
from services.bounces.classify.mime import Part

LONGEST = 2 * 1024
MOST_LINES = 50
_HEADERS = ("from", "to", "subject", "mime-version", "content-type", "x-failed-recipients")


def flufl_failures(mail: Part) -> tuple[str, ...]:
    """The addresses that flufl takes for permanently failed, lower case, sorted; nothing where it raises."""
    from flufl.bounce import all_failures  # noqa: PLC0415 - slow to import, seldom needed

    # Its log of exceptions would carry the mail's content.
    logging.getLogger("flufl.bounce").disabled = True
    try:
        parsed = email.message_from_bytes(_excerpt(mail), policy=email.policy.compat32)
        temporary, permanent = all_failures(parsed)
    except Exception:  # noqa: BLE001 - foreign code, foreign mail: its silence is an answer
        return ()
    found = {clean(address.decode("utf-8", "replace")) for address in permanent - temporary}
    return tuple(sorted(found - {""}))


def _excerpt(mail: Part) -> bytes:
    """The headers that flufl looks at and the beginning of the body."""
    head = "".join(f"{name}: {mail.header(name)}\n" for name in _HEADERS if mail.header(name))
    return head.encode("utf-8", "replace") + b"\n" + b"\n".join(mail.body[:LONGEST].split(b"\n")[:MOST_LINES])
