"""`manage.py demo`: load the demo shop."""

from argparse import ArgumentTypeError, BooleanOptionalAction
from collections.abc import Iterable

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from tqdm import tqdm

from products.demo import fixture, loading, orders, rows
from products.shipping import services as shipping

MOST = 1_000_000


def product_count(text: str) -> int:
    """Return the number of products in an argument. Raises `ArgumentTypeError`."""
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:9]) <= MOST:
        raise ArgumentTypeError(f"{text!r} is no number of products (1 to {MOST}).")
    return int(text)


class Command(BaseCommand):
    help = (
        "Load the demo shop: pictures, a catalogue with stock, accounts and orders."
        " This adds what is missing, and changes nothing else."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--products",
            type=product_count,
            metavar="N",
            help=f"Fill up to N products (the catalogue alone has"
            f" {rows.CATALOGUE_SIZE}).",
        )
        parser.add_argument(
            "--no-pictures",
            action="store_false",
            dest="pictures",
            help="Load no pictures. You can load them later.",
        )
        parser.add_argument(
            "--accounts",
            action=BooleanOptionalAction,
            default=settings.INSECURE_COOKIES,
            help="Add accounts with public passwords. By default this happens only on"
            " your own machine, where INSECURE_COOKIES is set.",
        )
        parser.add_argument(
            "--write-fixture",
            action="store_true",
            help="Only write products/fixtures/demo.json from the catalogue.",
        )

    def handle(self, *args, **options) -> None:
        if options["write_fixture"]:
            self.stdout.write(f"Written: {fixture.write()}")
            return
        if options["pictures"]:
            items = [item for _shelf, item in rows.items()]
            try:
                copied = loading.load_pictures(items, self.progress)
            except OSError as error:  # a full disk, or a bucket that is down
                raise CommandError(f"The pictures cannot be stored: {error}") from error
            self.stdout.write(f"{copied} pictures added.")
        added = loading.load_catalogue(options["products"], self.progress)
        self.stdout.write(f"{added} products added.")
        self.stdout.write(f"{shipping.load_defaults()} shipping zones added.")
        self.stdout.write(f"{loading.load_sale()} sales begun.")
        self.stdout.write(f"{loading.load_code()} codes added.")
        self.stdout.write(f"{loading.load_line_discount()} discounts on lines added.")
        self.stdout.write(f"{loading.load_drop()} drops planned.")
        self.stdout.write(f"{loading.load_preorder()} preorders offered.")
        if options["accounts"]:
            loading.load_accounts()
            self.stdout.write(f"{orders.load()} orders placed.")
            self.list_accounts()

    def progress(self, iterable: Iterable, total: int, label: str) -> Iterable:
        """Show a progress bar on the error stream, if there is anything to do."""
        return tqdm(iterable, total=total, desc=label, disable=not total, leave=False)

    def list_accounts(self) -> None:
        self.stdout.write("Demo accounts:")
        for name in loading.ACCOUNTS:
            self.stdout.write(f"  {name:8} {loading.password_of(name)}")
