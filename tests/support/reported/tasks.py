"""Tasks that say something, hand over another, and break."""

import logging

from celery import shared_task
from django.core.mail import send_mail

from products.models import Variant
from project.celery import later
from realtime.publish import publish
from tests.support.reported.planted import EMAIL, TOKEN

logger = logging.getLogger(__name__)


@shared_task
def first(variant: int) -> None:
    logger.info("The first task for %s, at /orders/confirm/%s/", EMAIL, TOKEN)
    later(second, variant)


@shared_task
def second(variant: int) -> None:
    logger.info("The second task")
    facts = Variant.objects.get(pk=variant).stock_facts
    publish(f"stock:{variant}", version=2**40, facts=facts)
    send_mail("Planted", f"/tell-me/stop/{TOKEN}/", "shop@example.com", [EMAIL])


@shared_task
def fails() -> None:
    raise LookupError(f"The task broke for {EMAIL}: /users/confirm-email/{TOKEN}/")
