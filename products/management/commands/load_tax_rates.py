"""`manage.py load_tax_rates`: load the tax rates of the EU and the UK."""

from django.core.management.base import BaseCommand

from products.pricing import services as pricing


class Command(BaseCommand):
    help = (
        "Load the tax rates of the EU and the United Kingdom that are missing or have"
        " changed. A changed rate holds from today on. Rates of staff stay. `migrate`"
        " does the same."
    )

    def handle(self, *args, **options) -> None:
        loaded = pricing.load_tax_rates()
        for rate in loaded.differing:
            self.stderr.write(f"{rate} is the rate now. Yours differs, and stays.")
        self.stdout.write(f"{len(loaded.added)} tax rates added.")
