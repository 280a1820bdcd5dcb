"""What happens later, by a worker. Each task delegates in a line."""

from celery import shared_task
from django.core.management import call_command

from products.models import Basket


@shared_task
def forget_stale_baskets() -> int:
    """Delete anonymous baskets that nobody touched for a long time; how many rows."""
    return Basket.objects.stale().delete()[0]


@shared_task
def check_books() -> None:
    """Fail, and so be logged and counted, when stock has drifted from its books."""
    call_command("reconcile")
