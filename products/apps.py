from django.apps import AppConfig
from django.db.models.signals import post_migrate
from django.utils.translation import gettext_lazy as _


class ProductsConfig(AppConfig):
    name = "products"
    verbose_name = _("Shop")

    def ready(self) -> None:
        from products import signals  # connects sign-in to the basket

        post_migrate.connect(signals.load_tax_rates, sender=self)
