"""Writes rows as products, a batch at a time.

A batch is written as a whole or not at all. A row that cannot be written is left out;
the others go on. A dry run is the same without locks and without writing.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from typing import IO

from django.db import IntegrityError, OperationalError, transaction
from django.utils.translation import gettext as _

from products.fetching import services as fetching
from products.importing import batches
from products.importing.columns import count_known, layout_of
from products.importing.groups import BadGroup, Group, groups_of, last_lines
from products.importing.matching import Matcher, Outcome
from products.importing.problems import Problem, Refused, Unreadable
from products.importing.reading import reading
from products.importing.report import CHANGED, NEW, UNCHANGED, Line, Options, Report
from products.importing.rows import Row, rows_of
from products.importing.wanted import Changes, Wanted
from products.models import PictureJob

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
        if options.pictures and not options.dry_run:
            actor_id = options.actor.pk if options.actor else None
            report.job = PictureJob.objects.create(name=options.name, actor_id=actor_id)
        importer = Importer(report, options)
        last = last_lines(layout, table.records) if layout.is_shopify else {}
        records = table.again() if layout.is_shopify else table.records
        groups = importer.acceptable(groups_of(layout, rows_of(layout, records), last))
        try:
            for batch in batches_of(groups):
                importer.check_size()
                importer.write(batch)
                options.progress(file.tell())
        except Unreadable as reason:
            importer.report.stopped = str(reason)
        finally:
            batches.announce(importer.changes)
            importer.finish_job()
    importer.report.warnings.sort()
    importer.report.problems.sort()  # they are not found in the order of the lines
    return importer.report


def batches_of(groups: Iterator[Group]) -> Iterator[list[Group]]:
    """Yield products together, with about `BATCH` rows.

    If the file cannot be read any further, yield those before that first.
    """
    batch: list[Group] = []
    size = 0
    try:
        for group in groups:
            batch.append(group)
            size += group.size
            if size >= BATCH:
                yield batch
                batch, size = [], 0
    except Unreadable:
        if batch:
            yield batch
        raise
    if batch:
        yield batch


class Importer:
    """The import of one file."""

    def __init__(self, report: Report, options: Options) -> None:
        self.report, self.options = report, options
        self.changes = Changes()
        self._matcher = Matcher(options.category)

    def acceptable(self, groups: Iterable[Group | BadGroup]) -> Iterator[Group]:
        """Yield the products without problems, and report the others."""
        for group in groups:
            if isinstance(group, BadGroup):
                self._fail(group, group.problems)
                continue
            try:
                self._matcher.check(group)
            except Refused as refusal:
                self._refuse(group, refusal)
            else:
                yield group

    def finish_job(self) -> None:
        """Forget the downloads if there are none."""
        job = self.report.job
        if job:
            job.refresh_from_db()
        if job and not job.wanted:
            job.delete()
            self.report.job = None

    def check_size(self) -> None:
        """Raise `Unreadable` if more rows were read than are allowed."""
        most = self.options.most_rows
        if most is not None and self.report.rows >= most:
            text = _("it has more than %(most)d rows. Use “manage.py import_products”.")
            raise Unreadable(text % {"most": most})

    def write(self, groups: list[Group]) -> None:
        """Write a batch. If it conflicts several times, write each product alone."""
        for _try in range(TRIES):
            try:
                return self._count(self._write(groups))
            except (IntegrityError, OperationalError) as error:
                if not _is_temporary(error):
                    raise
                self._matcher.categories.look_again()
        if len(groups) > 1:
            for group in groups:
                self.write([group])
        else:
            text = _("Somebody else changed it at the same time. Try again.")
            self._refuse(groups[0], Refused("", text))

    def _write(self, groups: list[Group]) -> Outcome:
        dry_run = self.options.dry_run
        with nullcontext() if dry_run else transaction.atomic():
            outcome = self._matcher.compare(groups, lock=not dry_run)
            shortages = self._shortages(outcome) if dry_run else self._save(outcome)
            reserved = {short.variant_id: short.reserved for short in shortages}
            _leave_out(outcome, reserved)
            if self.report.job:
                fetching.request(list(_pictures(outcome)), self.report.job)
        return outcome

    def _shortages(self, outcome: Outcome) -> list[batches.Shortage]:
        found = batches.find_shortages(outcome.items, outcome.stocks)
        return [shortage for _item, shortage in found]

    def _save(self, outcome: Outcome) -> list[batches.Shortage]:
        if outcome.categories:
            new = list(outcome.categories.values())
            batches.add_categories(new, changes=outcome.changes)
        for item in outcome.items:
            if item.product.category_id is None:
                # The new category has its key now. Assign it again to copy the key.
                item.product.category = item.product.category
        options = self.options
        return batches.write(
            outcome.items,
            note=options.note,
            actor=options.actor,
            changes=outcome.changes,
        )

    # --- Reporting ----------------------------------------------------------------

    def _count(self, outcome: Outcome) -> None:
        """Report a batch that is written."""
        self._matcher.categories.learn_new(outcome.categories)
        self.changes.add(outcome.changes)
        self.report.categories += [c.name for c in outcome.categories.values()]
        self.report.warn(outcome.warnings)
        for group, refusal in outcome.refused:
            self._refuse(group, refusal)
        for group, items in outcome.wanted:
            self.report.accept(_action(items, outcome), group.size)
            self.report.pictures += len(group.pictures)
            for row, item in zip(group.rows, items, strict=True):
                self.report.warn(row.warnings or [])
                if len(self.report.first) < self.options.preview:
                    self.report.first.append(self._line(row, item, outcome))

    def _refuse(self, group: Group, refusal: Refused) -> None:
        column = self.report.layout.name(refusal.field) if refusal.field else ""
        line = refusal.line or group.line
        self._fail(group, [Problem(line, column, str(refusal))])

    def _fail(self, group: Group | BadGroup, problems: list[Problem]) -> None:
        """Report the rows of a product that is left out, each or all of them."""
        if group.size > 1:
            text = _(
                "All %(rows)d rows of “%(handle)s” are left out: see line %(line)d."
            )
            line = min(problems).line
            text %= {"rows": group.size, "handle": group.group, "line": line}
            column = self.report.layout.name("handle")
            problems = [*problems, Problem(group.line, column, text)]
        self.report.fail(problems, group.size)

    def _line(self, row: Row, item: Wanted, outcome: Outcome) -> Line:
        action = _action([item], outcome)
        category = self._matcher.categories.name_of(item.product)
        return Line(row.line, action, item.variant, category, row.stock, item.changed)


def _pictures(outcome: Outcome) -> Iterator[fetching.Wanted]:
    """Yield the pictures of the products that are written."""
    for group, items in outcome.wanted:
        shown_by: dict[str, list[int]] = defaultdict(list)
        for row, item in zip(group.rows, items, strict=True):
            if row.variant_picture:
                shown_by[row.variant_picture.url].append(item.variant.pk)
        product_id = items[0].product.pk
        for line, url, alt, position in group.pictures:
            variants = tuple(shown_by[url])
            yield fetching.Wanted(product_id, url, alt, position, line, variants)


def _leave_out(outcome: Outcome, reserved: dict[int, int]) -> None:
    """Refuse products with a variant in `reserved` (variant id → reserved units)."""
    accepted = []
    for group, items in outcome.wanted:
        short = [
            (row, reserved[item.variant.pk])
            for row, item in zip(group.rows, items, strict=True)
            if item.variant.pk in reserved
        ]
        if not short:
            accepted.append((group, items))
            continue
        row, units = short[0]
        text = _("%(units)d are reserved for orders. Cancel orders first.")
        refusal = Refused("stock", text % {"units": units}, row.line)
        outcome.refused.append((group, refusal))
    outcome.wanted = accepted


def _action(items: list[Wanted], outcome: Outcome) -> str:
    if items[0].is_new_product:
        return NEW
    return CHANGED if any(_changes(item, outcome) for item in items) else UNCHANGED


def _changes(item: Wanted, outcome: Outcome) -> bool:
    stock = outcome.stocks.get(item.variant.pk)
    on_hand = stock.on_hand if stock else 0
    return item.is_new or bool(item.changed) or item.counted not in (None, on_hand)


def _is_temporary(error: Exception) -> bool:
    """Return whether the error is a conflict with another transaction."""
    if isinstance(error, IntegrityError):
        return True
    return getattr(error.__cause__, "pgcode", None) == DEADLOCK
