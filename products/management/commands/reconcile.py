"""`manage.py reconcile`: check that stored totals agree with their rows."""

from collections.abc import Callable, Sequence

from django.core.management.base import BaseCommand, CommandError

from products.catalogue import books as catalogue
from products.drops.books import reconcile_drops
from products.models import Stock
from products.pricing import discount_books
from products.stock import books

# Functions that return what differs, with what the command says of it.
CHECKS: list[tuple[Callable[[], Sequence[object]], str]] = [
    (books.reconcile, "%d stock rows have drifted."),
    (books.reconcile_money, "The money of %d orders has drifted."),
    (discount_books.drifts, "%d discounts or discounted orders have drifted."),
    (catalogue.drifts, "%d products have drifted."),
    (reconcile_drops, "The books of drops have %d faults."),
]


class Command(BaseCommand):
    help = (
        "Compare stock with movements, baskets and orders, orders with their lines,"
        " payments with refunds, disputes and orders, discounts with their uses and"
        " orders, products with their variants, and drops with their tickets. The exit"
        " status is 1 if any of them differ."
    )

    def handle(self, *args, **options) -> None:
        found = [(check(), text) for check, text in CHECKS]
        for drifts, _text in found:
            for drift in drifts:
                self.stderr.write(str(drift))
        for drifts, text in found:
            if drifts:
                raise CommandError(text % len(drifts))
        self.stdout.write(f"The books agree: {Stock.objects.count()} stock rows.")
