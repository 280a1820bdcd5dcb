"""Tasks that deliver mail."""

from collections.abc import Sequence

from celery import shared_task
from django.db import transaction

from project.celery import later
from project.mail import delivery


@shared_task(reject_on_worker_lost=True)
def deliver_mail(pk: int) -> None:
    """Bring out one mail soon after its commit: a hint, the sweep would find it too."""
    if not delivery.server.is_away:
        delivery.deliver(pk)


@shared_task
def sweep_outbox() -> int:
    """Bring out all that is due, for at most a minute; how many were sent."""
    return delivery.sweep()


@shared_task
def clean_outbox() -> int:
    """Delete old mails that were sent or given up; how many."""
    return delivery.clean()


def deliver_soon(keys: Sequence[int]) -> None:
    """Once the open transaction has committed, tell the workers of these mails."""

    # Nested, not partial(): Django asks a failing callback for its name.
    def hint() -> None:
        for key in keys:
            later(deliver_mail, key)

    transaction.on_commit(hint, robust=True)
