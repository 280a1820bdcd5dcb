"""`manage.py reconcile`: check that stored totals agree with their rows."""

from django.core.management.base import BaseCommand, CommandError

from products.models import Stock
from products.stock import books


class Command(BaseCommand):
    help = (
        "Compare stock with movements, baskets and orders, orders with their lines, and"
        " payments with refunds, disputes and orders. The exit status is 1 if any of"
        " them differ."
    )

    def handle(self, *args, **options) -> None:
        drifts, money = books.reconcile(), books.reconcile_money()
        for drift in [*drifts, *money]:
            self.stderr.write(str(drift))
        if drifts:
            raise CommandError(f"{len(drifts)} stock rows have drifted.")
        if money:
            raise CommandError(f"The money of {len(money)} orders has drifted.")
        self.stdout.write(f"The books agree: {Stock.objects.count()} stock rows.")
