"""What is wrong with a file, told to who made it."""

from typing import NamedTuple


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
