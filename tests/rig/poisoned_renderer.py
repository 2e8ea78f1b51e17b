"""The renderer as a process, with a fault of ours in it: it fails over a business whose name has a certain letter.

    python tests/rig/poisoned_renderer.py

For a day on which a dead letter fails again: only a person who mends its message gets it through.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from services.renderer.__main__ import main
from services.renderer.handler import Renderer

POISON = "\u017f"
"""The long s, as a text copied from an old register has it."""


def plant() -> None:
    """Let rendering fail over it, as a text's own code would."""
    whole = Renderer._render

    def render(self: Renderer, envelope, request, *rest):  # noqa: ANN001, ANN002, ANN202 -- as the original
        if POISON in request.values.get("business_name", ""):
            raise KeyError("no such glyph")
        return whole(self, envelope, request, *rest)

    Renderer._render = render  # type: ignore[method-assign]


if __name__ == "__main__":
    plant()
    sys.exit(main())
