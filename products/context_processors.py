"""Variables for every template. They are looked up only when they are used."""

from django.conf import settings
from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject, cached_property

from products.catalogue import services as catalogue
from products.live import baskets as live_baskets
from products.live import viewers
from project.primary import primary


class Baskets:
    """The facts of the visitor's basket, looked up once on first use."""

    def __init__(self, request: HttpRequest) -> None:
        self._request = request

    @cached_property
    def badge(self) -> dict:
        """The variables of `_basket_badge.html`: {"basket": {…}, "version": …}."""
        if state := getattr(self._request, "basket_state", None):
            # This page shows the whole basket, so it has loaded it already.
            facts = {"count": state.facts["count"], "total": state.facts["value"]}
            return {"basket": facts, "version": state.version}
        owner = viewers.owner_of(self._request.session, self._request.user)
        state = live_baskets.summary(owner)
        return {"basket": state.facts, "version": state.version}


def baskets(request: HttpRequest) -> dict:
    """Add `baskets`, the visitor's own."""
    return {"baskets": Baskets(request)}


def shop(request: HttpRequest) -> dict:
    """Add the shop's name, its categories and the timeline of the page's versions.

    The timeline is "" if the page makes no query. Sockets take that for a different
    timeline.
    """
    return {
        "timeline": primary().timeline,
        "SHOP_NAME": settings.SHOP_NAME,
        "PRICES_INCLUDE_TAX": settings.PRICES_INCLUDE_TAX,
        "categories": SimpleLazyObject(catalogue.categories),
    }
