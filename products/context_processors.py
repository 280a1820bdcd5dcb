"""What every page may show. Nothing is looked up before a template asks."""

from django.conf import settings
from django.db import connection
from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject, cached_property

from products.catalogue import services as catalogue
from products.live import baskets as live_baskets
from products.live import viewers


class Baskets:
    """The visitor's basket as facts, looked up on first use and once a page."""

    def __init__(self, request: HttpRequest) -> None:
        self._request = request

    @cached_property
    def badge(self) -> dict:
        """For `_basket_badge.html`: {"basket": {"count", "total"}, "version"}."""
        # A page that shows the whole basket has counted it already.
        state = getattr(self._request, "basket_state", None) or live_baskets.summary(
            viewers.owner_of(self._request.session, self._request.user)
        )
        return {"basket": state.facts, "version": state.version}


def baskets(request: HttpRequest) -> dict:
    """`baskets`, the visitor's own; no query where no template shows it."""
    return {"baskets": Baskets(request)}


def shop(request: HttpRequest) -> dict:
    """The shop's name, its shelves for the navigation, asked for when shown, and the
    timeline that the versions on the page count on. It is "", which the sockets take
    for another one, if the page asks the database nothing."""
    return {
        "timeline": connection.timeline,
        "SHOP_NAME": settings.SHOP_NAME,
        "categories": SimpleLazyObject(catalogue.categories),
    }
