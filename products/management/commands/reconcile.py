"""`manage.py reconcile`: check the books."""

from django.core.management.base import BaseCommand, CommandError

from products.models import Stock
from products.services import books


class Command(BaseCommand):
    help = "Check stock against movements and holders; exit 1 when some has drifted."

    def handle(self, *args, **options) -> None:
        drifts = books.reconcile()
        for drift in drifts:
            self.stderr.write(str(drift))
        if drifts:
            raise CommandError(f"{len(drifts)} stock rows have drifted.")
        self.stdout.write(f"The books agree: {Stock.objects.count()} stock rows.")
