"""`manage.py import_products`: a CSV file into the catalogue."""

from argparse import ArgumentTypeError
from pathlib import Path

from django.core.management.base import BaseCommand, CommandError, CommandParser
from tqdm import tqdm

from products import importing
from products.models import ProductCategory

TEXT_AT_MOST = 200  # problems that a terminal is filled with


def file_to_read(text: str) -> Path:
    """In: what the command line says. Out: a file that is there."""
    path = Path(text)
    if not path.is_file():
        raise ArgumentTypeError(f"There is no file {text!r}.")
    return path


class Command(BaseCommand):
    help = (
        "Import products from a CSV file, of Shopify's columns or of ours (see"
        " deploy/README.md): adds what is new, changes what differs, found by sku or"
        " handle. Rows with errors are left out and named; then the exit status is 1."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=file_to_read, metavar="FILE")
        parser.add_argument(
            "--dry-run",
            action="store_true",
            help="Say what would be done, and do nothing.",
        )
        parser.add_argument(
            "--category",
            metavar="SLUG",
            help="The category of new products that name none.",
        )

    def handle(self, *args, file: Path, dry_run: bool, **options) -> None:
        category = self.category(options["category"])
        with file.open("rb") as content, self.bar(file) as bar:
            try:
                report = importing.run(
                    content,
                    importing.Options(
                        dry_run=dry_run,
                        category=category,
                        note=f"import {file.name}"[:200],
                        progress=lambda position: bar.update(position - bar.n),
                    ),
                )
            except importing.Unreadable as reason:
                raise CommandError(str(reason)) from None
        self.tell(report, dry_run)

    def category(self, slug: str | None) -> ProductCategory | None:
        """The category named on the command line, if one is."""
        if slug is None:
            return None
        category = ProductCategory.objects.filter(slug=slug).first()
        if category is None:
            raise CommandError(f"There is no category {slug!r}.")
        return category

    def bar(self, file: Path) -> tqdm:
        """How much of the file is done, on the error stream."""
        size = file.stat().st_size
        return tqdm(total=size, desc=file.name, unit="B", unit_scale=True, leave=False)

    def tell(self, report: importing.Report, dry_run: bool) -> None:
        layout = report.layout
        kind = "Shopify's columns" if layout.is_shopify else "our columns"
        self.stdout.write(f"{kind}, {report.encoding}, delimiter {report.delimiter!r}")
        if layout.ignored:
            self.stdout.write(f"Not imported: {', '.join(layout.ignored)}")
        if report.categories:
            self.stdout.write(f"New categories: {', '.join(report.categories)}")
        for warning in report.warnings[:TEXT_AT_MOST]:
            self.stderr.write(f"line {warning}")
        for problem in report.problems[:TEXT_AT_MOST]:
            self.stderr.write(f"line {problem}")
        if dry_run:
            self.stdout.write("A trial run: nothing was written.")
        self.stdout.write(report.summary)
        if report.stopped:
            raise CommandError(f"The rest was not read: {report.stopped}")
        if report.failed:
            raise CommandError(f"{report.failed} rows were left out.")
