"""The renderer with a fault in it, as a process: it fails over every business whose name has an obelus (†).

python -m tests.rig.brittle_renderer
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from services.kernel.adapters.parts import Parts, open_parts
from services.kernel.adapters.process import queue_worker, run
from services.kernel.ledger import RendererFacts
from services.kernel.runtime.decision import Decision
from services.kernel.runtime.items import Item
from services.kernel.runtime.program import Worker
from services.renderer.handler import Renderer


class Brittle(Renderer):
    """Fails over an obelus."""

    async def decide(self, tx: RendererFacts, items: Sequence[Item]) -> Sequence[Decision]:
        if any("\N{DAGGER}" in item.body().decode() or "\\u2020" in item.body().decode() for item in items):
            raise KeyError("no glyph")
        return await super().decide(tx, items)


def build(parts: Parts) -> Worker:
    return queue_worker(Brittle(parts.library, parts.ids, batch=parts.worker.batch), parts)


if __name__ == "__main__":
    sys.exit(run("renderer", open_parts, build))
