"""Rows into products, a batch at a time.

A trial run does the same as a real one but for the locks and the writing. A batch is
written as a whole or not at all; a row that cannot be is left out, the others go on.
"""

from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from itertools import islice
from typing import BinaryIO

from django.db import IntegrityError, OperationalError, transaction
from django.utils.translation import gettext as _

from products.importing import batches
from products.importing.batches import Told, Wanted
from products.importing.columns import known, layout_of
from products.importing.matching import Matcher, Outcome, Refused
from products.importing.problems import Problem, Unreadable
from products.importing.reading import reading
from products.importing.report import CHANGED, NEW, UNCHANGED, Line, Options, Report
from products.importing.rows import Row, rows_of

BATCH = 500
TRIES = 3  # of a batch that something else got in the way of
DEADLOCK = "40P01"


def run(file: BinaryIO, options: Options) -> Report:
    """Import the products of an open binary file; what it has done.

    Raises `Unreadable` for a file that is none of the two formats, `UnknownEncoding`
    for one whose encoding a person has to choose. If it stops being
    readable later, what was written stays, and the report says so.
    """
    with reading(
        file, known, encoding=options.encoding, delimiter=options.delimiter
    ) as table:
        layout = layout_of(table.header)
        report = Report(layout, table.encoding, table.delimiter, table.sample)
        importer = Importer(report, options)
        rows = importer.acceptable(rows_of(layout, table.records))
        try:
            while batch := list(islice(rows, BATCH)):
                importer.check_size()
                importer.write(batch)
                options.progress(file.tell())
        except Unreadable as reason:
            importer.report.stopped = str(reason)
        finally:
            batches.tell(importer.told)
    importer.report.warnings.sort()
    importer.report.problems.sort()  # whole batches are refused later than cells
    return importer.report


class Importer:
    """One file on its way into the shop."""

    def __init__(self, report: Report, options: Options) -> None:
        self.report, self.options = report, options
        self.told = Told()
        self._matcher = Matcher(options.category)

    def acceptable(self, rows: Iterable[Row | list[Problem]]) -> Iterator[Row]:
        """Those without problems; the others are reported."""
        for row in rows:
            if not isinstance(row, Row):
                self.report.fail(row)
                continue
            try:
                self._matcher.check(row)
            except Refused as refusal:
                self._refuse(row, refusal)
            else:
                yield row

    def check_size(self) -> None:
        """Raises `Unreadable` once there are more rows than are taken."""
        most = self.options.most_rows
        if most is not None and self.report.rows >= most:
            text = _("it has more than %(most)d rows. Use “manage.py import_products”.")
            raise Unreadable(text % {"most": most})

    def write(self, rows: list[Row]) -> None:
        """Write a batch; if others get in its way again and again, row by row."""
        for _try in range(TRIES):
            try:
                return self._count(self._write(rows))
            except (IntegrityError, OperationalError) as error:
                if not _is_temporary(error):
                    raise
                self._matcher.look_again()
        if len(rows) > 1:
            for row in rows:
                self.write([row])
        else:
            text = _("Somebody else changed it at the same moment. Try again.")
            self._refuse(rows[0], Refused("", text))

    def _write(self, rows: list[Row]) -> Outcome:
        dry_run = self.options.dry_run
        with nullcontext() if dry_run else transaction.atomic():
            outcome = self._matcher.compare(rows, lock=not dry_run)
            short = self._shortages(outcome) if dry_run else self._save(outcome)
        _leave_out(outcome, {each.product_id: each.reserved for each in short})
        return outcome

    def _shortages(self, outcome: Outcome) -> list[batches.Short]:
        found = (
            batches.shortage(each, outcome.stocks.get(each.product.pk))
            for _row, each in outcome.wanted
        )
        return [short for short in found if short]

    def _save(self, outcome: Outcome) -> list[batches.Short]:
        if outcome.categories:
            new = list(outcome.categories.values())
            batches.add_categories(new, told=outcome.told)
        wanted = [each for _row, each in outcome.wanted]
        for each in wanted:
            if each.product.category_id is None:  # it has its key now
                each.product.category = each.product.category
        options = self.options
        return batches.write(
            wanted, note=options.note, actor=options.actor, told=outcome.told
        )

    # --- Reporting ----------------------------------------------------------------

    def _count(self, outcome: Outcome) -> None:
        self._matcher.learn_new(outcome)
        self.told.add(outcome.told)
        self.report.categories += [c.name for c in outcome.categories.values()]
        for row, refusal in outcome.refused:
            self._refuse(row, refusal)
        for row, wanted in outcome.wanted:
            action = _action(wanted, outcome)
            self.report.counts[action] += 1
            if row.warnings:
                self.report.warn(row.warnings)
            if len(self.report.first) < self.options.preview:
                self.report.first.append(self._line(row, wanted, action))

    def _refuse(self, row: Row, refusal: Refused) -> None:
        column = self.report.layout.name(refusal.field) if refusal.field else ""
        self.report.fail([Problem(row.line, column, str(refusal))])

    def _line(self, row: Row, wanted: Wanted, action: str) -> Line:
        category = self._matcher.category_name(wanted.product)
        return Line(
            row.line, action, wanted.product, category, row.stock, wanted.changed
        )


def _leave_out(outcome: Outcome, reserved: dict[int, int]) -> None:
    """Rows whose count is below what is reserved."""
    kept = []
    for row, wanted in outcome.wanted:
        units = reserved.get(wanted.product.pk)
        if units is None:
            kept.append((row, wanted))
            continue
        text = _("%(units)d are reserved for orders. Cancel orders first.")
        outcome.refused.append((row, Refused("stock", text % {"units": units})))
    outcome.wanted = kept


def _action(wanted: Wanted, outcome: Outcome) -> str:
    if wanted.is_new:
        return NEW
    stock = outcome.stocks.get(wanted.product.pk)
    on_hand = stock.on_hand if stock else 0
    recounted = wanted.counted not in (None, on_hand)
    return CHANGED if wanted.changed or recounted else UNCHANGED


def _is_temporary(error: Exception) -> bool:
    """Whether somebody else was quicker, or waits for us as we for them."""
    if isinstance(error, IntegrityError):
        return True
    return getattr(error.__cause__, "pgcode", None) == DEADLOCK
