"""The shop's Celery tasks. Each calls a service or a command."""

from celery import shared_task
from django.conf import settings
from django.core.management import call_command

from products import personal
from products.basket import holds
from products.catalogue import pictures
from products.drops import services as drops
from products.drops import steps
from products.fetching import services as fetching
from products.models import Basket, WebhookEvent
from products.orders import limits
from products.orders import services as orders
from products.pagecache import invalidation  # noqa: F401  has tasks of its own
from products.payments import refunds
from products.payments import services as payments
from products.payments import webhooks
from products.pricing import (  # noqa: F401  so have these
    discount_flips,
    flips,
    rule_flips,
)
from products.search import services as search  # noqa: F401  so has this
from products.stock import alerts
from products.vat import services as vat  # noqa: F401  so has this
from products.waiting import services as waiting
from project.celery import later


@shared_task
def release_lapsed_holds() -> int:
    """Release the units of lapsed holds; return how many holds."""
    return holds.release_lapsed()


@shared_task
def step_drops() -> int:
    """Make a step of each drop that runs, now and every second until the next sweep.

    Return how many. A drop that begins in between has a step of its own at its second.
    """
    steps.keep_gates_closed()
    for pause in steps.pauses(settings.HOLD_SWEEP_S):
        later(step_drops_once, countdown=pause)
    return steps.step_all()


@shared_task
def step_drops_once() -> int:
    """Make a step of each drop that runs; return how many."""
    if steps.is_any_running():
        holds.release_lapsed()  # so that their units are admitted for at once
    return steps.step_all()


@shared_task
def expire_orders() -> int:
    """Expire orders that were not paid in time; return how many."""
    return orders.expire_overdue()


@shared_task
def retry_refunds() -> int:
    """Make the refunds that are still owed; return how many."""
    webhooks.catch_up_all()
    return refunds.ask_all()


@shared_task
def close_payments() -> int:
    """Close the pages of payments that are no longer needed; return how many."""
    return payments.close_all()


@shared_task
def forget_old_events() -> int:
    """Delete old events of payment providers; return how many."""
    return WebhookEvent.objects.old().delete()[0]


@shared_task
def tell_waiting() -> int:
    """Mail visitors whose product is back in stock; return how many mails."""
    return waiting.tell_all()


@shared_task
def warn_of_low_stock() -> int:
    """Mail staff the products that run out; return how many products."""
    return alerts.warn_of_low_stock()


@shared_task
def forget_stale_baskets() -> int:
    """Delete anonymous baskets unused for a long time; return how many rows."""
    return Basket.objects.stale().delete()[0]


@shared_task
def forget_limits() -> int:
    """Delete rows that limits no longer count; return how many."""
    spells, networks = limits.forget_spells(), limits.forget_networks()
    return spells + networks + drops.forget_visitors()


@shared_task
def erase_departed() -> int:
    """Erase personal data that orders of deleted accounts no longer need."""
    return personal.erase_departed()


@shared_task
def check_books() -> None:
    """Fail if stock or money disagree with their rows, so that it is logged."""
    call_command("reconcile")


@shared_task
def fetch_pictures() -> int:
    """Fetch the pictures that imports have asked for; return how many."""
    return fetching.fetch_due()


@shared_task
def forget_old_thumbnails() -> int:
    """Delete thumbnails that no product needs; return how many."""
    return pictures.forget_old_thumbnails()


@shared_task
def make_missing_thumbnails() -> int:
    """Make missing thumbnails; return for how many pictures."""
    return pictures.make_missing_thumbnails()
