"""Which files an answer may bring, told by their name *and* their content. None is ever opened or executed here.

Office documents are ZIP archives: the entry that says what they are is read, and no other (ECMA-376 part 2, ODF 1.3).
"""

from __future__ import annotations

import codecs
import re
import struct
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from io import BytesIO
from types import MappingProxyType

_HEAD = 1024
_MOST_DIRECTORY = 1 << 20
"""An honest document's list of entries is a few kilobytes."""
_MOST_ENTRY = 1 << 18
_ZIP64 = b"PK\x06\x07"
"""Leads to a second, larger list of entries: nothing as small as what is taken here needs one."""
_COMPRESSIONS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
"""All that the two standards know. What LZMA says of itself decides how much memory is taken before a byte is read."""
_END = struct.Struct("<4s4H2LH")
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f]")
_MARKUP = re.compile(r"\s*<(?:!doctype|html|head|body|script|svg|\?xml)", re.IGNORECASE)
_ODF = "application/vnd.oasis.opendocument."
_OOXML = "application/vnd.openxmlformats-officedocument."


@dataclass(frozen=True, slots=True)
class FileType:
    """A kind of file. `begins`: how every one begins; `says`: what an office document says that it is."""

    extension: str
    media_type: str
    begins: bytes = b""
    says: bytes = b""

    @property
    def is_text(self) -> bool:
        """Whether it is plain text, which has no beginning of its own."""
        return not self.begins


TYPES: Mapping[str, FileType] = MappingProxyType(
    {
        kind.extension: kind
        for kind in (
            FileType("pdf", "application/pdf", b"%PDF-"),
            FileType("png", "image/png", b"\x89PNG\r\n\x1a\n"),
            FileType("jpg", "image/jpeg", b"\xff\xd8\xff"),
            FileType("txt", "text/plain"),
            FileType("csv", "text/csv"),
            FileType(
                "docx", f"{_OOXML}wordprocessingml.document", b"PK\x03\x04",
                b"officedocument.wordprocessingml.document.main+xml",
            ),
            FileType(
                "xlsx", f"{_OOXML}spreadsheetml.sheet", b"PK\x03\x04", b"officedocument.spreadsheetml.sheet.main+xml"
            ),
            FileType("odt", f"{_ODF}text", b"PK\x03\x04", f"{_ODF}text".encode()),
            FileType("ods", f"{_ODF}spreadsheet", b"PK\x03\x04", f"{_ODF}spreadsheet".encode()),
        )
    }
)  # fmt: skip
_ALSO = {"jpeg": "jpg"}


def type_of(filename: str) -> FileType | None:
    """The kind that a name claims, or None if none such is taken."""
    extension = filename.rpartition(".")[2].lower() if "." in filename else ""
    return TYPES.get(_ALSO.get(extension, extension))


@dataclass(slots=True)
class Probe:
    """Looks at a file as it comes in; `fits` turns False as soon as it cannot be of its kind."""

    kind: FileType
    fits: bool = True
    _head: bytearray = field(default_factory=bytearray)
    _utf8: codecs.IncrementalDecoder | None = field(default_factory=codecs.getincrementaldecoder("utf-8"))

    def see(self, data: bytes) -> None:
        """The next bytes of the file."""
        if len(self._head) < _HEAD:
            self._head += data[: _HEAD - len(self._head)]
            expected = self.kind.begins[: len(self._head)]
            self.fits = self.fits and self._head[: len(expected)] == expected
        if self.kind.is_text:
            self.fits = self.fits and not _CONTROLS.search(self._decoded(data))

    def end(self) -> bool:
        """Whether the whole file can be of its kind; of an office document `is_document` says the rest."""
        if self.kind.is_text:
            return self.fits and not _MARKUP.match(self._head.decode("utf-8-sig", errors="replace"))
        return self.fits and self._head.startswith(self.kind.begins)

    def _decoded(self, data: bytes) -> str:
        """As UTF-8, or from the first byte that is not on as Latin-1, in which old spreadsheets are written."""
        if self._utf8 is not None:
            try:
                return self._utf8.decode(data)
            except UnicodeDecodeError:
                self._utf8 = None
        return data.decode("latin-1")


def is_document(content: bytes, kind: FileType) -> bool:
    """Whether an archive says of itself that it is this kind of document. Reads one small entry, whatever it claims."""
    if not _has_small_directory(content):
        return False
    try:
        with zipfile.ZipFile(BytesIO(content)) as archive:
            if any(name.endswith("vbaProject.bin") for name in archive.namelist()):
                return False
            if kind.media_type.startswith(_ODF):
                return _entry(archive, "mimetype") == kind.says
            return kind.says in _entry(archive, "[Content_Types].xml")
    except (zipfile.BadZipFile, zlib.error, KeyError, ValueError, NotImplementedError, RuntimeError, EOFError, OSError):
        return False


def _entry(archive: zipfile.ZipFile, name: str) -> bytes:
    if archive.getinfo(name).compress_type not in _COMPRESSIONS:
        raise zipfile.BadZipFile("compressed as no office document is")
    with archive.open(name) as entry:
        return entry.read(_MOST_ENTRY)


def _has_small_directory(content: bytes) -> bool:
    at = content.rfind(b"PK\x05\x06", max(0, len(content) - _END.size - 65_535))
    if at < 0 or at + _END.size > len(content) or content[max(0, at - 20) : at].startswith(_ZIP64):
        return False
    size: int = _END.unpack_from(content, at)[5]
    return size <= _MOST_DIRECTORY
