"""Signals of code that is not ours. Our own effects are explicit calls."""

from django.contrib.auth.signals import user_logged_in
from django.dispatch import receiver

from products.live import BASKET_TOKEN
from products.services import basket


@receiver(user_logged_in)
def merge_basket(sender, request, user, **kwargs) -> None:
    """What the visitor chose before signing in joins their own basket."""
    token = request.session.pop(BASKET_TOKEN, None) if request is not None else None
    if token:
        basket.merge(token=token, user_id=user.pk)
