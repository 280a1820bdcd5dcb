"""`manage.py index_words`: the words that typos are corrected to."""

from django.core.management.base import BaseCommand

from products.search import services as search


class Command(BaseCommand):
    help = (
        "Read the words of all products again, which typos in searches are corrected"
        " to. A worker does so every day, and after each change of a product."
    )

    def handle(self, *args, **options) -> None:
        self.stdout.write(f"{search.relearn()} words known.")
