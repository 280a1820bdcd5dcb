"""Open baskets follow tax rates and prices of delivery."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from celery.signals import before_task_publish
from django.urls import reverse
from django.utils import timezone

from products.basket import renewals
from products.live import baskets as live
from products.models import RulesVersion, ShippingMethod, ShippingZone, TaxRate
from products.pricing.rule_flips import follow_rules
from products.shipping import services as shipping
from project import celery
from tests.support.admin_forms import form_values
from tests.support.factories import make_basket, make_owner, make_variant

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def kept_rates(db) -> Iterator[None]:
    """Tests that commit leave the loaded tax rates to others as they were."""
    rates = list(TaxRate.objects.filter(country="DE"))
    yield
    TaxRate.objects.bulk_update(rates, ["percent", "is_loaded"])


CHANGES = {
    "a tax rate": lambda: TaxRate.objects.filter(country="DE").update(percent=3),
    "a zone": lambda: ShippingZone.objects.update(is_active=False),
    "a method": lambda: ShippingMethod.objects.update(is_active=False),
    "a price": lambda: shipping.set_prices(
        ShippingMethod.objects.earliest("pk"), [shipping.PriceBand(0, None, 7)]
    ),
}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("change", CHANGES)
def test_open_basket_hears_of_each_change_of_the_rules(hear, change):
    shipping.load_defaults()
    owner = make_owner()
    basket = make_basket(owner, {make_variant(): 1})
    follow_rules()
    before = live.contents(owner)
    CHANGES[change]()

    with hear(f"basket:lines:{owner.key}") as events:
        follow_rules()

    after = live.contents(owner)
    assert [e["version"] for e in events] == [after.version]
    assert after.version > before.version
    assert {k: before.facts[k] for k in ("tax", "delivery")} != {
        k: after.facts[k] for k in ("tax", "delivery")
    }
    basket.refresh_from_db()
    assert basket.version == after.version


def test_baskets_are_renewed_once_for_each_change():
    owner = make_owner()
    make_basket(owner, {make_variant(): 1})
    follow_rules()
    version = live.contents(owner).version
    CHANGES["a tax rate"]()

    assert [follow_rules() for _ in range(3)] == [True, False, False]
    assert live.contents(owner).version == version + 1


def test_baskets_are_renewed_on_the_day_when_a_rate_begins():
    owner = make_owner()
    make_basket(owner, {make_variant(): 1})
    today = timezone.localdate()
    TaxRate.objects.create(
        country="DE", tax_class_id="standard", since=today, percent=20
    )
    follow_rules()
    version = live.contents(owner).version

    RulesVersion.objects.update(followed_on="2020-01-01")
    follow_rules()
    follow_rules()

    assert live.contents(owner).version == version + 1


def test_all_baskets_are_renewed_in_batches(monkeypatch):
    monkeypatch.setattr(renewals, "BATCH", 2)
    variant = make_variant()
    baskets = [make_basket(lines={variant: 1}) for _ in range(5)]
    empty = make_basket()
    versions = [basket.version for basket in [*baskets, empty]]

    renewals.rules_changed()

    for basket in [*baskets, empty]:
        basket.refresh_from_db()
    now = [basket.version for basket in [*baskets, empty]]
    assert now == [*(version + 1 for version in versions[:-1]), versions[-1]]


@contextmanager
def tasks() -> Iterator[list[str]]:
    """The tasks that are handed to workers meanwhile."""
    names: list[str] = []

    def note(sender: str, **kwargs: object) -> None:
        names.append(sender)

    before_task_publish.connect(note)
    try:
        yield names
        assert celery.flush()
    finally:
        before_task_publish.disconnect(note)


TASK = "products.pricing.rule_flips.follow_rules"


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("page", ["taxrate", "taxclass", "shippingzone"])
def test_baskets_follow_as_soon_as_staff_save(admin_client, page):
    shipping.load_defaults()
    rows = {
        "taxrate": TaxRate.objects.filter(country="DE"),
        "taxclass": TaxRate.tax_class.field.related_model.objects.all(),
        "shippingzone": ShippingZone.objects.all(),
    }
    address = reverse(f"admin:products_{page}_change", args=[rows[page].first().pk])
    form = form_values(admin_client.get(address).text)

    with tasks() as handed:
        assert admin_client.post(address, form).status_code == 302

    assert TASK in handed


@pytest.mark.django_db(transaction=True)
def test_baskets_follow_as_soon_as_staff_delete(admin_client):
    shipping.load_defaults()
    zone = ShippingZone.objects.first()
    address = reverse("admin:products_shippingzone_delete", args=[zone.pk])
    form = form_values(admin_client.get(address).text)

    with tasks() as handed:
        admin_client.post(address, form)

    assert not ShippingZone.objects.filter(pk=zone.pk).exists()
    assert TASK in handed
