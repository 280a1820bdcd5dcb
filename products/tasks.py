"""What happens later, by a worker. Each task delegates in a line."""

from celery import shared_task
from django.core.management import call_command

from products import personal
from products.basket import holds
from products.catalogue import pictures
from products.models import Basket, WebhookEvent
from products.orders import limits
from products.orders import services as orders
from products.pagecache import invalidation  # noqa: F401  has tasks of its own
from products.payments import refunds
from products.payments import services as payments
from products.payments import webhooks
from products.search import services as search  # noqa: F401  so has this
from products.stock import alerts
from products.waiting import services as waiting


@shared_task
def release_lapsed_holds() -> int:
    """Give back what checkouts held that were left; how many checkouts."""
    return holds.release_lapsed()


@shared_task
def expire_orders() -> int:
    """Give up orders that were not paid in time; how many."""
    return orders.expire_overdue()


@shared_task
def retry_refunds() -> int:
    """Give back money that is owed to shoppers; how many refunds."""
    webhooks.catch_up_all()
    return refunds.ask_all()


@shared_task
def close_payments() -> int:
    """Close the pages of payments that are not wanted any more; how many."""
    return payments.close_all()


@shared_task
def forget_old_events() -> int:
    """Delete what providers told long ago; how many events."""
    return WebhookEvent.objects.old().delete()[0]


@shared_task
def tell_waiting() -> int:
    """Write to who waits for what is back in stock; how many mails."""
    return waiting.tell_all()


@shared_task
def warn_of_low_stock() -> int:
    """Write to staff what is running out; how many products."""
    return alerts.warn_of_low_stock()


@shared_task
def forget_stale_baskets() -> int:
    """Delete anonymous baskets that nobody touched for a long time; how many rows."""
    return Basket.objects.stale().delete()[0]


@shared_task
def forget_limits() -> int:
    """Delete what limits counted an hour or a day ago; how many rows."""
    return limits.forget_spells() + limits.forget_networks()


@shared_task
def erase_departed() -> int:
    """Erase what orders of deleted accounts need no more of their shopper."""
    return personal.erase_departed()


@shared_task
def check_books() -> None:
    """Fail, and so be logged and counted, when stock has drifted from its books."""
    call_command("reconcile")


@shared_task
def forget_old_thumbnails() -> int:
    """Delete thumbnails of pictures that no product has any more; how many."""
    return pictures.forget_old_thumbnails()


@shared_task
def make_missing_thumbnails() -> int:
    """Make thumbnails of pictures that have none; of how many."""
    return pictures.make_missing_thumbnails()
