"""Lets open baskets follow the rules: tax rates, zones, methods and their prices.

The database gives the rules a new version with each change, from any code
(`products.pricing.models.rules`). The task renews all baskets if they do not follow it
yet, or if a tax rate holds from today. It runs at once when staff save something, and
as a sweep, so a task that is lost costs a few seconds.
"""

from celery import shared_task
from django.db import transaction
from django.utils import timezone

from products.basket import renewals
from products.models import RulesVersion, TaxRate
from project.celery import later


@shared_task
def follow_rules() -> bool:
    """Renew open baskets if the rules have changed; return whether they have.

    It may be run at any time, and by several workers at once.
    """
    rules = RulesVersion.objects.first()
    today = timezone.localdate()
    if rules is None or (rules.followed, rules.followed_on) == (rules.version, today):
        return False
    is_new = rules.followed != rules.version
    if is_new or TaxRate.objects.filter(since=today).exists():
        renewals.rules_changed()
    unchanged = RulesVersion.objects.filter(version=rules.version)
    unchanged.update(followed=rules.version, followed_on=today)
    return is_new


def follow_later() -> None:
    """Run the task as soon as the transaction commits."""
    transaction.on_commit(lambda: later(follow_rules), robust=True)
