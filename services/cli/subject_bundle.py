"""A bundle of files, a folder or a ZIP, each written in parts, with a manifest; the same state gives the same bytes."""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path, PurePosixPath
from typing import IO

from services.kernel.runtime.fault import Exit, Fault

MANIFEST = "manifest.json"
_EPOCH = (1980, 1, 1, 0, 0, 0)
_MODE = 0o600 << 16
Write = Callable[[bytes], None]


@dataclass(slots=True)
class Bundle:
    """Where files go; what was written is known by its size and SHA-256."""

    _open: Callable[[str], IO[bytes]]
    written: list[dict[str, object]] = field(default_factory=list)

    @contextmanager
    def file(self, name: str) -> Iterator[Write]:
        """A new file, written in parts. `name` is ours: no part of it comes from outside."""
        digest, size = sha256(), 0
        with self._open(name) as out:

            def write(data: bytes) -> None:
                nonlocal size
                digest.update(data)
                size += len(data)
                out.write(data)

            yield write
        self.written.append({"path": name, "bytes": size, "sha256": digest.hexdigest()})

    def whole(self, name: str, data: bytes) -> None:
        """A small file at once."""
        with self.file(name) as write:
            write(data)

    def json(self, name: str, told: object) -> None:
        """A JSON file: readable, keys in order."""
        self.whole(name, (json.dumps(told, ensure_ascii=False, sort_keys=True, indent=1, default=str) + "\n").encode())


@contextmanager
def bundle(out: Path) -> Iterator[Bundle]:
    """A new folder, or a new `….zip`; the manifest is written last. What breaks off half way is told by its absence.

    Raises:
        Fault: there is such a file or folder already, or it cannot be written.
    """
    try:
        with _zip(out) if out.suffix == ".zip" else _folder(out) as made:
            yield made
            files = sorted(made.written, key=lambda each: str(each["path"]))
            made.json(MANIFEST, {"format": "duly-subject-export/1", "files": files})
    except FileExistsError as fault:
        raise Fault("there is such a file or folder already", str(out), "name a new one", code=Exit.USAGE) from fault
    except OSError as fault:
        raise Fault(f"it cannot be written: {fault.strerror}", str(out), "name another place") from fault


@contextmanager
def _folder(out: Path) -> Iterator[Bundle]:
    out.mkdir(parents=True, mode=0o700)

    def opened(name: str) -> IO[bytes]:
        path = out / PurePosixPath(name)
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        return path.open("xb")

    yield Bundle(opened)


def _for_us_alone(name: str, flags: int) -> int:
    return os.open(name, flags, 0o600)


@contextmanager
def _zip(out: Path) -> Iterator[Bundle]:
    with (
        open(out, "xb", opener=_for_us_alone) as file,
        zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive,
    ):

        def opened(name: str) -> IO[bytes]:
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, _MODE
            return archive.open(entry, "w", force_zip64=True)

        yield Bundle(opened)
