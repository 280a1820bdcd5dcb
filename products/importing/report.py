"""The options of an import, and its report."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from django.contrib.auth.models import AbstractUser
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from products.importing.columns import Layout
from products.importing.problems import Problem
from products.models import PictureJob, ProductCategory, Variant

MAX_PROBLEMS = 1000
NEW, CHANGED, UNCHANGED = "new", "changed", "unchanged"
ACTIONS = {NEW: _("new"), CHANGED: _("changed"), UNCHANGED: _("unchanged")}


@dataclass(frozen=True)
class Options:
    """How to import a file."""

    dry_run: bool = False  # report what would change, and write nothing
    encoding: str | None = None  # None: detect it
    delimiter: str | None = None  # None: detect it
    category: ProductCategory | None = None  # for new products without a category
    note: str = ""  # of the stock movements
    actor: AbstractUser | None = None  # of the stock movements
    name: str = ""  # of the file
    pictures: bool = False  # ask a worker to download the pictures
    preview: int = 0  # rows that the report shows
    most_rows: int | None = None  # after so many the import stops
    progress: Callable[[int], object] = lambda position: None  # gets the bytes read


class Line(NamedTuple):
    """A row of the preview. `changes` are the names of fields that change."""

    line: int
    action: str
    variant: Variant
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
    counts: Counter[str] = field(default_factory=Counter)  # of products
    rows: int = 0  # that were read
    failed: int = 0  # of these, that were left out
    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)  # of imported rows
    categories: list[str] = field(default_factory=list)  # new ones
    first: list[Line] = field(default_factory=list)  # the preview
    pictures: int = 0  # that imported rows name
    job: PictureJob | None = None  # the pictures that will be downloaded
    stopped: str = ""  # why the rest was not read, if so

    @property
    def has_work(self) -> bool:
        """Whether there is something to write, or a picture that may be downloaded."""
        return bool(self.counts[NEW] or self.counts[CHANGED] or self.pictures)

    def accept(self, action: str, rows: int) -> None:
        """Count a product that is imported."""
        self.counts[action] += 1
        self.rows += rows

    def fail(self, problems: list[Problem], rows: int) -> None:
        """Count the rows of a product that is left out, and add their problems."""
        self.failed += rows
        self.rows += rows
        self.problems += problems[: MAX_PROBLEMS - len(self.problems)]

    def warn(self, warnings: list[Problem]) -> None:
        """Add the warnings of an imported row."""
        self.warnings += warnings[: MAX_PROBLEMS - len(self.warnings)]

    @property
    def summary(self) -> str:
        """The counts as one sentence."""
        new, changed = self.counts[NEW], self.counts[CHANGED]
        unchanged, failed = self.counts[UNCHANGED], self.failed
        parts = [
            ngettext("%(n)d new product", "%(n)d new products", new) % {"n": new},
            ngettext("%(n)d changed", "%(n)d changed", changed) % {"n": changed},
            ngettext("%(n)d unchanged", "%(n)d unchanged", unchanged)
            % {"n": unchanged},
            ngettext("%(n)d row left out", "%(n)d rows left out", failed)
            % {"n": failed},
        ]
        return ", ".join(parts) + "."
