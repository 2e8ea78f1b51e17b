"""What the library says of the gate for one notice."""

from __future__ import annotations

from services.kernel.domain.library import Library
from services.kernel.domain.notice import Notice
from services.kernel.ledger import GatePolicy


def gate_policy(library: Library, notice: Notice) -> GatePolicy:
    """The regime's and the notice type's part in the gate's decision.

    Raises:
        NotInLibrary: the library has no such regime, notice type or sanction.
    """
    regime = library.regime(notice.regime)
    kind = library.notice_type(notice.regime, notice.notice_type)
    return GatePolicy(
        kind=kind.sanction,
        automatic=kind.sanction_automatic,
        safety_delay=regime.safety_delay.total_seconds(),
        minimum_after_hold=regime.minimum_after_hold.total_seconds(),
        objection_window=regime.objection_window.total_seconds(),
        cap_per_hour=library.cap_an_hour(notice.regime, kind.sanction) if kind.sanction else None,
    )
