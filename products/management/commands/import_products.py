"""`manage.py import_products`: import products from a CSV file."""

import codecs
from argparse import ArgumentTypeError
from pathlib import Path

from django.core.management.base import BaseCommand, CommandError, CommandParser
from tqdm import tqdm

from products import importing
from products.models import ProductCategory

MAX_PROBLEMS = 200  # to print


def file_to_read(text: str) -> Path:
    """Return the path of an existing file. Raises `ArgumentTypeError`."""
    path = Path(text)
    if not path.is_file():
        raise ArgumentTypeError(f"There is no file {text!r}.")
    return path


def encoding(text: str) -> str:
    """Return our name of an encoding, from any name that Python knows."""
    try:
        wanted = codecs.lookup(text).name
    except LookupError:
        raise ArgumentTypeError(f"There is no encoding {text!r}.") from None
    for name in importing.ENCODINGS:
        if codecs.lookup(name).name == wanted:
            return name
    known = ", ".join(importing.ENCODINGS)
    raise ArgumentTypeError(f"{text!r} is none of {known}.")


def delimiter(text: str) -> str:
    """Return the character that is given as itself, as “tab” or as “\\t”."""
    character = {"tab": "\t", "\\t": "\t"}.get(text, text)
    if len(character) != 1 or character in "\"'\r\n\0":
        raise ArgumentTypeError(f"{text!r} is no delimiter. Write one character.")
    return character


class Command(BaseCommand):
    help = (
        "Import products from a CSV file with our own columns (see deploy/README.md)"
        " or Shopify's. Products are found by SKU or handle. New ones are added, others"
        " are changed. Rows with errors are left out and listed; then the exit status"
        " is 1."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=file_to_read, metavar="FILE")
        parser.add_argument(
            "--dry-run",
            action="store_true",
            help="Report what would change, and change nothing.",
        )
        parser.add_argument(
            "--pictures",
            action="store_true",
            help="Let a worker download the pictures that a Shopify file names.",
        )
        parser.add_argument(
            "--category",
            metavar="SLUG",
            help="The category of new products without one.",
        )
        parser.add_argument(
            "--encoding",
            type=encoding,
            metavar="NAME",
            help="The encoding of the file: %s. Detected if left out."
            % ", ".join(importing.ENCODINGS),
        )
        parser.add_argument(
            "--delimiter",
            type=delimiter,
            metavar="CHARACTER",
            help="The character between two cells, or “tab”. Detected if left out.",
        )

    def handle(self, *args, file: Path, dry_run: bool, **options) -> None:
        category = self.category(options["category"])
        with file.open("rb") as content, self.bar(file) as bar:
            try:
                report = importing.run(
                    content,
                    importing.Options(
                        dry_run=dry_run,
                        name=file.name[:100],
                        pictures=options["pictures"],
                        category=category,
                        note=f"import {file.name}"[:200],
                        encoding=options["encoding"],
                        delimiter=options["delimiter"],
                        progress=lambda position: bar.update(position - bar.n),
                    ),
                )
            except importing.UnknownEncoding as question:
                raise CommandError(self.advice(question)) from None
            except importing.Unreadable as reason:
                raise CommandError(str(reason)) from None
        self.print_report(report, dry_run)

    def advice(self, question: importing.UnknownEncoding) -> str:
        """Return how to choose the encoding of a file, with a line in each encoding."""
        lines = [
            f"  --encoding {choice.encoding:<14} {line}"
            for choice in question.choices
            for line in choice.lines[:1]
        ]
        text = "The encoding of this file is not certain. Choose the one whose line is"
        return "\n".join([f"{text} right:", *lines])

    def category(self, slug: str | None) -> ProductCategory | None:
        """Return the category in the option. Raises `CommandError` if it is unknown."""
        if slug is None:
            return None
        category = ProductCategory.objects.filter(slug=slug).first()
        if category is None:
            raise CommandError(f"There is no category {slug!r}.")
        return category

    def bar(self, file: Path) -> tqdm:
        """Return a progress bar for the bytes of a file, on the error stream."""
        size = file.stat().st_size
        return tqdm(total=size, desc=file.name, unit="B", unit_scale=True, leave=False)

    def print_report(self, report: importing.Report, dry_run: bool) -> None:
        """Print a report. Raises `CommandError` if not all rows were imported."""
        layout = report.layout
        kind = "Shopify's columns" if layout.is_shopify else "our columns"
        self.stdout.write(f"{kind}, {report.encoding}, delimiter {report.delimiter!r}")
        if layout.ignored:
            self.stdout.write(f"Not imported: {', '.join(layout.ignored)}")
        if report.categories:
            self.stdout.write(f"New categories: {', '.join(report.categories)}")
        for warning in report.warnings[:MAX_PROBLEMS]:
            self.stderr.write(f"line {warning}")
        for problem in report.problems[:MAX_PROBLEMS]:
            self.stderr.write(f"line {problem}")
        if dry_run:
            self.stdout.write("This was a dry run: nothing was written.")
        self.stdout.write(report.summary)
        if report.job:
            self.stdout.write(f"A worker downloads {report.job.wanted} pictures.")
        if report.stopped:
            raise CommandError(f"The rest was not read: {report.stopped}")
        if report.failed:
            raise CommandError(f"{report.failed} rows were left out.")
