"""`manage.py import_products`: a CSV file into the catalogue."""

import codecs
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


def encoding(text: str) -> str:
    """In: a name of an encoding, any that Python knows. Out: ours."""
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
    """In: a character, “tab” or “\\t”. Out: the character."""
    character = {"tab": "\t", "\\t": "\t"}.get(text, text)
    if len(character) != 1 or character in "\"'\r\n\0":
        raise ArgumentTypeError(f"{text!r} is no delimiter. Write one character.")
    return character


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
        self.tell(report, dry_run)

    def advice(self, question: importing.UnknownEncoding) -> str:
        """What to do about a file that can be read in several ways."""
        lines = [
            f"  --encoding {each.encoding:<14} {line}"
            for each in question.choices
            for line in each.lines[:1]
        ]
        text = "It is not certain which encoding this file is in. Choose the one that"
        return "\n".join([f"{text} reads right:", *lines])

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
