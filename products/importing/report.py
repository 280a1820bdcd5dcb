"""What an import is told and what it answers."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from django.contrib.auth.models import AbstractUser
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from products.importing.columns import Layout
from products.importing.problems import Problem
from products.models import Product, ProductCategory

PROBLEMS_KEPT = 1000
NEW, CHANGED, UNCHANGED = "new", "changed", "unchanged"
ACTIONS = {NEW: _("new"), CHANGED: _("changed"), UNCHANGED: _("unchanged")}


@dataclass(frozen=True)
class Options:
    """How to import: `category` is for new products that name none, `note` goes into
    the movements, `preview` is how many rows the report shows, `most_rows` how many are
    taken; `progress` is told how many bytes have been read. Without `encoding` and
    `delimiter` both are found out."""

    dry_run: bool = False
    encoding: str | None = None
    delimiter: str | None = None
    category: ProductCategory | None = None
    note: str = ""
    actor: AbstractUser | None = None
    preview: int = 0
    most_rows: int | None = None
    progress: Callable[[int], object] = lambda position: None


class Line(NamedTuple):
    """One of the first rows, for a preview; `changes` are the fields that differ."""

    line: int
    action: str
    product: Product
    category: str
    counted: int | None
    changes: list[str]

    @property
    def action_name(self) -> str:
        return str(ACTIONS[self.action])


@dataclass
class Report:
    """What an import has done, or would do."""

    layout: Layout
    encoding: str
    delimiter: str
    sample: list[str] = field(default_factory=list)  # lines beyond ASCII, as read
    counts: Counter[str] = field(default_factory=Counter)
    failed: int = 0  # rows
    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)  # of rows that are taken
    categories: list[str] = field(default_factory=list)  # that are new
    first: list[Line] = field(default_factory=list)
    stopped: str = ""  # why the rest was not read

    @property
    def rows(self) -> int:
        return self.counts.total() + self.failed

    @property
    def writes(self) -> int:
        return self.counts[NEW] + self.counts[CHANGED]

    def fail(self, problems: list[Problem]) -> None:
        """A row is left out."""
        self.failed += 1
        self.problems += problems[: PROBLEMS_KEPT - len(self.problems)]

    def warn(self, warnings: list[Problem]) -> None:
        """A row is taken that somebody should look at."""
        self.warnings += warnings[: PROBLEMS_KEPT - len(self.warnings)]

    @property
    def summary(self) -> str:
        """One sentence."""
        parts = [
            ngettext("%(n)d new product", "%(n)d new products", self.counts[NEW])
            % {"n": self.counts[NEW]},
            ngettext("%(n)d changed", "%(n)d changed", self.counts[CHANGED])
            % {"n": self.counts[CHANGED]},
            ngettext("%(n)d unchanged", "%(n)d unchanged", self.counts[UNCHANGED])
            % {"n": self.counts[UNCHANGED]},
            ngettext("%(n)d row left out", "%(n)d rows left out", self.failed)
            % {"n": self.failed},
        ]
        return ", ".join(parts) + "."
