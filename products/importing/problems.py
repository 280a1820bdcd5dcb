"""What is wrong with a file, told to who made it."""

from typing import NamedTuple

from django.utils.translation import gettext as _


class Problem(NamedTuple):
    """Something of one row: `line` counts as a text editor does, `column` is as the
    file spells it, empty where the row as a whole is meant."""

    line: int
    column: str
    text: str

    def __str__(self) -> str:
        where = f"{self.line}, {self.column}" if self.column else f"{self.line}"
        return f"{where}: {self.text}"


class Unreadable(Exception):
    """The file cannot be imported at all. `str()` is a sentence to show."""


class Choice(NamedTuple):
    """An encoding that a file may be in, and some of its lines read so."""

    encoding: str
    lines: list[str]


class UnknownEncoding(Unreadable):
    """The file can be read in several ways, and a person has to choose one."""

    def __init__(self, choices: list[Choice]) -> None:
        self.choices = choices
        super().__init__(
            _(
                "We cannot be sure which encoding this file uses. Choose the one whose "
                "lines look right, or save the table as “CSV UTF-8” and upload that."
            )
        )
