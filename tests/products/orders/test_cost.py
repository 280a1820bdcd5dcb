"""What a guest's order takes: statements, and what is the same for everybody."""

import html

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from products.models import Order, ShippingMethod
from products.shipping import services as shipping
from tests.benchmarks.guests import ADDRESS, HIDDEN
from tests.support.factories import make_variant

pytestmark = pytest.mark.django_db(transaction=True)

CHECKOUT, REVIEW = "/checkout/", "/checkout/review/"
# Statements of each step, as `tests/benchmarks/orders.py --against` shows them. The
# catalogue is not cached in tests: start and review read the categories.
BUDGET = {"add": 9, "start": 8, "enter": 4, "review": 5, "place": 12}


class Guest:
    """Somebody new, who orders one unit."""

    def __init__(self, variant) -> None:
        self.client, self.variant = Client(), variant

    def order(self) -> dict[str, int]:
        """Order it; return the statements of each step."""
        return {name: self._counted(getattr(self, name)) for name in BUDGET}

    def _counted(self, step) -> int:
        with CaptureQueriesContext(connection) as queries:
            step()
        return len([q for q in queries if q["sql"] not in ("BEGIN", "COMMIT")])

    def add(self) -> None:
        answer = self.client.post(f"/basket/add/{self.variant.pk}/", {"quantity": "1"})
        assert answer.status_code == 302

    def start(self) -> None:
        assert self.client.get(CHECKOUT).status_code == 200

    def enter(self) -> None:
        assert self.client.post(CHECKOUT, ADDRESS).status_code == 303

    def review(self) -> None:
        fields = HIDDEN.findall(self.client.get(REVIEW).text)
        self.form = {name: html.unescape(value) for name, value in fields}

    def place(self) -> None:
        form = self.form | {"method": "delivery"}
        assert self.client.post(REVIEW, form).status_code == 303


def test_guests_order_stays_within_its_budget_of_statements(settings):
    settings.EMAIL_BACKEND = "project.mail.outbox.OutboxBackend"
    shipping.load_defaults()
    variant = make_variant(on_hand=9)
    Guest(variant).order()  # makes copies of rates and zones

    taken = Guest(variant).order()

    assert Order.objects.count() == 2
    assert all(taken[step] <= most for step, most in BUDGET.items()), taken


def test_blank_form_shows_nothing_that_another_guest_entered():
    variant = make_variant(on_hand=9)
    first, second = Guest(variant), Guest(variant)
    for guest in (first, second):
        guest.add()
        guest.start()
    first.enter()

    own, others = (guest.client.get(CHECKOUT).text for guest in (first, second))

    assert "Ann Lee" in own and "Ann Lee" not in others
    assert 'name="line1"' in others and 'value="High' not in others


def test_blank_form_offers_a_country_as_soon_as_the_shop_delivers_there():
    shipping.load_defaults()
    guest = Guest(make_variant(on_hand=9))
    guest.add()
    assert 'value="DE"' in guest.client.get(CHECKOUT).text
    zones = {method.zone for method in ShippingMethod.objects.all()}
    for zone in zones:
        zone.countries, zone.has_rest, zone.postcodes = ["FR"], False, ""
        zone.save()

    page = guest.client.get(CHECKOUT).text

    assert '<option value="FR"' in page and '<option value="DE"' not in page
