"""Whom the limits on holds and orders count for."""

from django.http import HttpRequest

from products.orders.limits import Visitor
from products.orders.views import GUESTS
from realtime.addresses import client_of_request


def visitor_of(request: HttpRequest) -> Visitor:
    """Who asks, as far as limits want to know."""
    numbers = tuple(request.session.get(GUESTS, {}))
    return Visitor(client_of_request(request.META) or "", numbers)
