"""Mail as files: one a mail, whole or not at all, kept over restarts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from services.kernel.adapters.mail.reports import header_of

_ENDING = ".eml"
_LONGEST_ID = 20


@dataclass(frozen=True, slots=True)
class StoredMail:
    """A mail in a folder. `content` is as it came over SMTP, without the two envelope lines of its file."""

    mail_id: str
    envelope_sender: str
    recipient: str
    content: bytes

    @property
    def subject(self) -> str:
        """Its Subject header, as written."""
        return header_of(self.content, "Subject")

    @property
    def message_id(self) -> str:
        """Its Message-ID header, with angle brackets."""
        return header_of(self.content, "Message-ID")


class MailFolder:
    """A folder of mails, each a file with `Return-Path` and `Delivered-To` before its own headers.

    Files are written aside and renamed, as in a maildir: a reader never sees half a mail. Ids count upwards.
    """

    def __init__(self, folder: Path) -> None:
        self._new, self._aside = folder / "new", folder / "tmp"
        self._last = 0

    def open(self) -> None:
        """Make the folder if it is not there, and go on counting where it was left."""
        self._new.mkdir(parents=True, exist_ok=True)
        self._aside.mkdir(exist_ok=True)
        self._last = max((int(path.stem) for path in self._new.glob(f"*{_ENDING}") if path.stem.isdigit()), default=0)

    def add(self, envelope_sender: str, recipient: str, content: bytes) -> StoredMail:
        """Store a mail."""
        self._last += 1
        mail = StoredMail(f"{self._last:010d}", envelope_sender, recipient, content)
        head = f"Return-Path: <{envelope_sender}>\r\nDelivered-To: {recipient}\r\n"
        aside = self._aside / f"{mail.mail_id}{_ENDING}"
        aside.write_bytes(head.encode() + content)
        aside.rename(self._path(mail.mail_id))
        return mail

    def read(self, mail_id: str) -> StoredMail:
        """The mail of that id.

        Raises:
            KeyError: there is none.
        """
        if not mail_id.isdigit() or len(mail_id) > _LONGEST_ID or not self._path(mail_id).exists():
            raise KeyError(f"no mail {mail_id[:_LONGEST_ID]!r} in the mailbox")
        first, second, content = self._path(mail_id).read_bytes().split(b"\r\n", 2)
        sender = first.decode().removeprefix("Return-Path: <").removesuffix(">")
        return StoredMail(mail_id, sender, second.decode().removeprefix("Delivered-To: "), content)

    def ids(self) -> tuple[str, ...]:
        """The ids of all mails, oldest first."""
        return tuple(sorted(path.stem for path in self._new.glob(f"*{_ENDING}")))

    def remove(self, mail_id: str) -> None:
        """Forget a mail; it may be gone already."""
        self._path(mail_id).unlink(missing_ok=True)

    def _path(self, mail_id: str) -> Path:
        return self._new / f"{mail_id}{_ENDING}"
