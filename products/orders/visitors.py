"""Tells for whom the limits on holds and orders count."""

from django.http import HttpRequest

from products.orders.limits import Visitor
from products.orders.views import GUESTS
from realtime.addresses import client_of_request


def visitor_of(request: HttpRequest) -> Visitor:
    """Return the visitor of a request, for `products.orders.limits`."""
    numbers = tuple(request.session.get(GUESTS, {}))
    return Visitor(client_of_request(request.META) or "", numbers)
