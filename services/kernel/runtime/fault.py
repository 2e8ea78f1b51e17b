"""A fault told to a person: what is wrong, where, and what to do."""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """What a command's exit code means."""

    OK = 0
    NO = 1
    """The command worked and the answer is no: a check failed, a record is not there, an expectation was not met."""
    USAGE = 2
    """The command line, a setting or a file is wrong: change it and call again."""
    UNREACHABLE = 3
    """A database, broker, mail system or folder cannot be reached or used: mend it and call again."""


class Fault(Exception):
    """Something a person can mend. Its text is made for screens and logs: it never holds content or a secret."""

    public = True
    """The log filter may write the message."""

    def __init__(self, what: str, where: str = "", todo: str = "", *, code: Exit = Exit.UNREACHABLE) -> None:
        super().__init__(what, where, todo)
        self.what = what
        self.where = where
        self.todo = todo
        self.code = code

    def __str__(self) -> str:
        """The three parts in one line."""
        return " -- ".join(part for part in (self.what, self.where, self.todo) if part)
