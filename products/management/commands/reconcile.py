"""`manage.py reconcile`: check that stored totals agree with their rows."""

from django.core.management.base import BaseCommand, CommandError

from products.catalogue import books as catalogue
from products.models import Stock
from products.pricing import uses
from products.stock import books


class Command(BaseCommand):
    help = (
        "Compare stock with movements, baskets and orders, orders with their lines,"
        " payments with refunds, disputes and orders, discounts with their uses, and"
        " products with their variants."
        " The exit status is 1 if any of them differ."
    )

    def handle(self, *args, **options) -> None:
        drifts, money = books.reconcile(), books.reconcile_money()
        discounts, products = uses.drifts(), catalogue.drifts()
        for drift in [*drifts, *money, *discounts, *products]:
            self.stderr.write(str(drift))
        if drifts:
            raise CommandError(f"{len(drifts)} stock rows have drifted.")
        if money:
            raise CommandError(f"The money of {len(money)} orders has drifted.")
        if discounts:
            raise CommandError(f"The uses of {len(discounts)} discounts have drifted.")
        if products:
            raise CommandError(f"{len(products)} products have drifted.")
        self.stdout.write(f"The books agree: {Stock.objects.count()} stock rows.")
