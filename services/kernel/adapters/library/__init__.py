"""The library folder, read and checked."""

from services.kernel.adapters.library.documents import Fault, LibraryFault
from services.kernel.adapters.library.load import load_library

__all__ = ["Fault", "LibraryFault", "load_library"]
