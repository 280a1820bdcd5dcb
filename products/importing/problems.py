"""Problems with a file, with texts for the person who imports it."""

from typing import NamedTuple

from django.utils.translation import gettext as _


class Problem(NamedTuple):
    """A problem with a row.

    `line` is its number in a text editor. `column` is the name of the column in the
    file, "" if the problem is with the whole row.
    """

    line: int
    column: str
    text: str

    def __str__(self) -> str:
        where = f"{self.line}, {self.column}" if self.column else f"{self.line}"
        return f"{where}: {self.text}"


class Refused(Exception):
    """A row that cannot be imported, because of one of its fields.

    `line` is None for the first row of the product.
    """

    def __init__(self, field: str, text: str, line: int | None = None) -> None:
        super().__init__(text)
        self.field = field
        self.line = line


class Unreadable(Exception):
    """The file cannot be imported. `str()` is a sentence to show."""


class Choice(NamedTuple):
    """A possible encoding of a file, and some lines read in it."""

    encoding: str
    lines: list[str]


class UnknownEncoding(Unreadable):
    """The encoding is not certain, so a person has to choose one."""

    def __init__(self, choices: list[Choice]) -> None:
        self.choices = choices
        super().__init__(
            _(
                "We cannot be sure which encoding this file uses. Choose the one whose "
                "lines look right, or save the table as “CSV UTF-8” and upload that."
            )
        )
