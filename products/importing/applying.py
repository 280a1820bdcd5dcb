"""Writes rows as products, a batch at a time.

A batch is written as a whole or not at all. A row that cannot be written is left out;
the others go on. A dry run is the same without locks and without writing.
"""

from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from itertools import islice
from typing import IO

from django.db import IntegrityError, OperationalError, transaction
from django.utils.translation import gettext as _

from products.importing import batches
from products.importing.batches import Changes, Wanted
from products.importing.columns import count_known, layout_of
from products.importing.matching import Matcher, Outcome, Refused
from products.importing.problems import Problem, Unreadable
from products.importing.reading import reading
from products.importing.report import CHANGED, NEW, UNCHANGED, Line, Options, Report
from products.importing.rows import Row, rows_of

BATCH = 500
TRIES = 3  # of a batch that conflicts with other transactions
DEADLOCK = "40P01"


def run(file: IO[bytes], options: Options) -> Report:
    """Import the products of an open binary file; return a report.

    Raises `Unreadable` for a file in neither of the two formats, and `UnknownEncoding`
    if a person has to choose its encoding. If a later part of the file is unreadable,
    the earlier rows stay imported, and the report says so.
    """
    with reading(
        file, count_known, encoding=options.encoding, delimiter=options.delimiter
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
            batches.announce(importer.changes)
    importer.report.warnings.sort()
    importer.report.problems.sort()  # they are not found in the order of the lines
    return importer.report


class Importer:
    """The import of one file."""

    def __init__(self, report: Report, options: Options) -> None:
        self.report, self.options = report, options
        self.changes = Changes()
        self._matcher = Matcher(options.category)

    def acceptable(self, rows: Iterable[Row | list[Problem]]) -> Iterator[Row]:
        """Yield the rows without problems, and report the others."""
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
        """Raise `Unreadable` if more rows were read than are allowed."""
        most = self.options.most_rows
        if most is not None and self.report.rows >= most:
            text = _("it has more than %(most)d rows. Use “manage.py import_products”.")
            raise Unreadable(text % {"most": most})

    def write(self, rows: list[Row]) -> None:
        """Write a batch. If it conflicts several times, write it row by row."""
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
            text = _("Somebody else changed it at the same time. Try again.")
            self._refuse(rows[0], Refused("", text))

    def _write(self, rows: list[Row]) -> Outcome:
        dry_run = self.options.dry_run
        with nullcontext() if dry_run else transaction.atomic():
            outcome = self._matcher.compare(rows, lock=not dry_run)
            shortages = self._shortages(outcome) if dry_run else self._save(outcome)
        _leave_out(outcome, {short.variant_id: short.reserved for short in shortages})
        return outcome

    def _shortages(self, outcome: Outcome) -> list[batches.Shortage]:
        shortages = []
        for _row, wanted in outcome.wanted:
            stock = outcome.stocks.get(wanted.variant.pk)
            short = batches.shortage(wanted, stock)
            if short:
                shortages.append(short)
        return shortages

    def _save(self, outcome: Outcome) -> list[batches.Shortage]:
        if outcome.categories:
            new = list(outcome.categories.values())
            batches.add_categories(new, changes=outcome.changes)
        items = [wanted for _row, wanted in outcome.wanted]
        for item in items:
            if item.product.category_id is None:
                # The new category has its key now. Assign it again to copy the key.
                item.product.category = item.product.category
        options = self.options
        return batches.write(
            items, note=options.note, actor=options.actor, changes=outcome.changes
        )

    # --- Reporting ----------------------------------------------------------------

    def _count(self, outcome: Outcome) -> None:
        """Report a batch that is written."""
        self._matcher.learn_new(outcome)
        self.changes.add(outcome.changes)
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
            row.line, action, wanted.variant, category, row.stock, wanted.changed
        )


def _leave_out(outcome: Outcome, reserved: dict[int, int]) -> None:
    """Refuse the rows whose variant is in `reserved` (variant id → reserved units)."""
    accepted = []
    for row, wanted in outcome.wanted:
        units = reserved.get(wanted.variant.pk)
        if units is None:
            accepted.append((row, wanted))
            continue
        text = _("%(units)d are reserved for orders. Cancel orders first.")
        outcome.refused.append((row, Refused("stock", text % {"units": units})))
    outcome.wanted = accepted


def _action(wanted: Wanted, outcome: Outcome) -> str:
    if wanted.is_new:
        return NEW
    stock = outcome.stocks.get(wanted.variant.pk)
    on_hand = stock.on_hand if stock else 0
    is_recounted = wanted.counted not in (None, on_hand)
    return CHANGED if wanted.changed or is_recounted else UNCHANGED


def _is_temporary(error: Exception) -> bool:
    """Return whether the error is a conflict with another transaction."""
    if isinstance(error, IntegrityError):
        return True
    return getattr(error.__cause__, "pgcode", None) == DEADLOCK
