"""`manage.py reconcile`: check the books."""

from django.core.management.base import BaseCommand, CommandError

from products.models import Stock
from products.stock import books


class Command(BaseCommand):
    help = (
        "Check stock against movements and holders, and payments against refunds,"
        " disputes and orders; exit 1 when some has drifted."
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
