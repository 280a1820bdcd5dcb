"""Receivers for signals of other packages. Our own code calls services directly."""

from contextlib import suppress

from allauth.account.signals import email_confirmed
from django.apps.registry import Apps
from django.contrib import messages
from django.contrib.auth.signals import user_logged_in
from django.db import DEFAULT_DB_ALIAS
from django.db.models.signals import pre_delete
from django.dispatch import receiver
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from products.basket import holds, merged
from products.basket import services as basket
from products.basket.exceptions import BasketClosed
from products.drops import services as drops
from products.live.viewers import BASKET_TOKEN
from products.models import Basket
from products.orders import claims
from products.pricing import services as pricing


@receiver(user_logged_in)
def merge_basket(sender, request, user, **kwargs) -> None:
    """Merge the basket of the visitor into the user's own at sign-in."""
    token = request.session.pop(BASKET_TOKEN, None) if request is not None else None
    if token:
        lines = basket.merge(token=token, user_id=user.pk)
        drops.merge(token=token, user_id=user.pk)
        for sentence in merged.sentences(lines):
            messages.warning(request, sentence, fail_silently=True)


@receiver(email_confirmed)
def offer_orders(sender, request, email_address, **kwargs) -> None:
    """Mention orders that were placed as a guest with an address just verified."""
    user = email_address.user
    is_own_request = request is not None and request.user.pk in (None, user.pk)
    if not is_own_request:
        return
    number = claims.claimable(user).count()
    if not number:
        return
    text = ngettext(
        "%(n)d guest order was placed with this email address.",
        "%(n)d guest orders were placed with this email address.",
        number,
    )
    link = format_html(
        '<a href="{}">{}</a>', reverse("products:orders"), _("Add to your account.")
    )
    messages.info(request, format_html("{} {}", text % {"n": number}, link))


@receiver(pre_delete, sender=Basket)
def release_hold(instance: Basket, **kwargs) -> None:
    """Release the hold of a basket before it is deleted, alone or with an account."""
    with suppress(BasketClosed):  # another request has deleted it
        holds.let_go(holds.row(instance))


def load_tax_rates(using: str, apps: Apps, **kwargs) -> None:
    """Load tax classes and rates after `migrate`, if it made their tables."""
    has_tables = "taxrate" in apps.all_models["products"]
    if using == DEFAULT_DB_ALIAS and has_tables:
        pricing.load_tax_rates()
