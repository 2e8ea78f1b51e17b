"""What every reader of providers' events needs: values out of JSON without trust, and a verdict with its reasons."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from services.bounces.classify import Classification
from services.bounces.classify.addresses import addresses_in
from services.kernel.domain.addresses import matching_key
from services.kernel.domain.evidence import Verdict

Told = Mapping[str, Any]
"""An event as JSON has it; nothing of it is known to be there, or to be what it should."""
_CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9 _./:-]{0,59}")
_STATUS = re.compile(r"\b([245])\.\d{1,3}\.\d{1,3}\b")
_FAILURE = re.compile(
    r"fail|bounc|reject|refus|drop|block|suppress|deliver|error|invalid|expir|return|cancel|quarantin|timeout",
    re.IGNORECASE,
)
_BARE = re.compile(r"<?[^\s<>\",;:@]{1,64}@[^\s<>\",;:@]{1,253}>?")
_LONGEST_ADDRESS = 320


def value(told: Told, *path: str) -> object:
    """What stands at the end of the path, or None."""
    found: object = told
    for name in path:
        found = found.get(name) if isinstance(found, dict) else None
    return found


def text(told: Told, *path: str) -> str:
    """The text at the end of the path; a number as text; empty for anything else."""
    found = value(told, *path)
    return str(found) if isinstance(found, str) or type(found) is int else ""


def items(told: Told, *path: str) -> list[Any]:
    """The list at the end of the path, or none."""
    found = value(told, *path)
    return found if isinstance(found, list) else []


def code(given: str) -> str:
    """A provider's code, if it is one: reasons hold codes, never content."""
    return given if _CODE.fullmatch(given) else "unnamed"


def judged(
    verdict: Verdict, reason: str, recipients: Iterable[object] = (), message_id: str | None = None
) -> Classification:
    """A verdict. Recipients are told of failures alone."""
    named = {each for given in recipients for each in _addresses(given)}
    failed = tuple(sorted(named)) if verdict is Verdict.FINAL else ()
    return Classification(verdict, failed, (reason,), message_id or None, tuple(sorted(named)))


def unreadable(why: str) -> Classification:
    """The verdict on what nobody can read."""
    return Classification(Verdict.UNCLEAR, reasons=(f"event cannot be read: {why}",))


def unknown(told: Told, kind: str, recipients: Iterable[object] = (), message_id: str | None = None) -> Classification:
    """The verdict on a kind of event that is not known: unclear if anything in its form speaks of failure."""
    names = [kind, *told, *(name for inner in told.values() if isinstance(inner, dict) for name in inner)]
    if not kind or any(_FAILURE.search(name) for name in names):
        return judged(Verdict.UNCLEAR, f"event of unknown kind: {code(kind)}", recipients, message_id)
    return judged(Verdict.OTHER, f"event of unknown kind: {code(kind)}", recipients, message_id)


def lasting(*told: str) -> str:
    """Permanent or transient: the class of the first status that is told (RFC 3463); permanent if none is."""
    found = next((match for each in told if (match := _STATUS.search(each))), None)
    return "transient" if found and found[1] == "4" else "permanent"


def nested(given: object) -> Told:
    """JSON inside a text, or nothing."""
    try:
        found = json.loads(given) if isinstance(given, str) else given
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _addresses(given: object) -> Iterable[str]:
    """The address that a text is, whatever its domain, or those in it."""
    if not isinstance(given, str) or len(given) > _LONGEST_ADDRESS:
        return ()
    found = (given,) if _BARE.fullmatch(given) and given.isprintable() else addresses_in(given)
    return [matching_key(each) for each in found]
