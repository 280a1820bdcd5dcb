"""`manage.py index_words`: read the words from which typos are corrected."""

from django.core.management.base import BaseCommand

from products.search import services as search


class Command(BaseCommand):
    help = (
        "Read the words of all active products again. Typos in searches are corrected"
        " to them. A worker does this every day, and after each change of a product."
    )

    def handle(self, *args, **options) -> None:
        self.stdout.write(f"{search.relearn()} words known.")
