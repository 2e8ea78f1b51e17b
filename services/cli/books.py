"""The library that a command reads by: the one of the settings, or the one that comes with Duly."""

from __future__ import annotations

from pathlib import Path

import services
from services.kernel.adapters.library import LibraryFault, load_library
from services.kernel.domain.library import Library
from services.kernel.runtime.fault import Exit, Fault
from services.kernel.runtime.settings import LibrarySettings, read

OWN = Path(services.__path__[0]) / "renderer" / "library"


def folder() -> Path:
    """Where the library is."""
    return read(LibrarySettings).folder or OWN


def load() -> Library:
    """Load it.

    Raises:
        Fault: something in it is wrong; names everything that is.
    """
    place = folder()
    try:
        return load_library(place)
    except LibraryFault as fault:
        raise Fault(str(fault), str(place), "mend the library, or set DULY_LIBRARY", code=Exit.USAGE) from fault
