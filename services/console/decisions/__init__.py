"""What persons decide: sanctions, batches of what a brake holds, holds and deadlines, evidence, the brakes."""

from __future__ import annotations

from services.console.decisions import batches, brakes, evidence, holds, sanctions
from services.console.visit import Pages

PAGES: Pages = (*batches.PAGES, *sanctions.PAGES, *holds.PAGES, *evidence.PAGES, *brakes.PAGES)
"""Their pages; those of the batches come first, as they lie below those of the sanctions."""
