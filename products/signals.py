"""Signals of code that is not ours. Our own effects are explicit calls."""

from contextlib import suppress

from django.contrib import messages
from django.contrib.auth.signals import user_logged_in
from django.db.models.signals import pre_delete
from django.dispatch import receiver

from products.exceptions import BasketClosed
from products.live import BASKET_TOKEN
from products.models import Basket
from products.services import basket, holds
from products.views import merged


@receiver(user_logged_in)
def merge_basket(sender, request, user, **kwargs) -> None:
    """What the visitor chose before signing in joins their own basket."""
    token = request.session.pop(BASKET_TOKEN, None) if request is not None else None
    if token:
        poured = basket.merge(token=token, user_id=user.pk)
        for sentence in merged.sentences(poured):
            messages.warning(request, sentence, fail_silently=True)


@receiver(pre_delete, sender=Basket)
def release_hold(instance: Basket, **kwargs) -> None:
    """Deleted with an account, or as forgotten: what its checkout held goes back."""
    with suppress(BasketClosed):  # somebody else has deleted it
        holds.let_go(holds.row(instance))
