"""`sources.yaml`: the upstream systems, and by what each is known. No two share a way in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from services.kernel.adapters.library.documents import Document, Fault, read_document, shaped
from services.kernel.adapters.library.shapes import SourcesFile, SourceShape
from services.kernel.domain.regime import ApiKey, Source
from services.kernel.runtime.decision import SOURCE


def load_sources(file: Path, regimes: frozenset[str], faults: list[Fault]) -> dict[str, Source]:
    """Every source by name; what is wrong is added to `faults`."""
    document = read_document(file, faults)
    shape = shaped(document, SourcesFile, faults)
    if shape is None or document is None:
        return {}
    if SOURCE in shape.sources:
        faults.append(document.fault("Duly's own events bear this name: no upstream may", "sources", SOURCE))
    for name, each in shape.sources.items():
        faults += [
            document.fault(f"there is no regime {regime}", "sources", name, "regimes", number)
            for number, regime in enumerate(each.regimes)
            if regime not in regimes
        ]
    faults += _shared(document, shape)
    return {name: _source(name, each) for name, each in shape.sources.items()}


def _shared(document: Document, shape: SourcesFile) -> list[Fault]:
    """A way in that leads to two sources, and a source without any."""
    speaks_for: dict[tuple[str, str], str] = {}
    found: list[Fault] = []
    for name, each in shape.sources.items():
        ways = list(_ways(each))
        if not ways:
            fault = "nobody can speak for it: name an amqp_user, an oauth_client or an api_key"
            found.append(document.fault(fault, "sources", name))
        for field, way, words in ways:
            if (field, way) in speaks_for:
                fault = f"{words} {way} speaks for {speaks_for[field, way]} already"
                found.append(document.fault(fault, "sources", name, field))
            speaks_for[field, way] = name
    return found


def _ways(shape: SourceShape) -> Iterator[tuple[str, str, str]]:
    for user in shape.amqp_users:
        yield "amqp_users", user, "the broker user"
    for client in shape.oauth_clients:
        yield "oauth_clients", client, "the OAuth client"
    for key in shape.api_keys:
        yield "api_keys", key.id, "the API key"


def _source(name: str, shape: SourceShape) -> Source:
    return Source(
        name,
        frozenset(shape.amqp_users),
        frozenset(shape.regimes),
        frozenset(shape.approver_roles) or False,
        shape.may_vouch,
        frozenset(shape.oauth_clients),
        tuple(ApiKey(key.id, bytes.fromhex(key.sha256)) for key in shape.api_keys),
    )
