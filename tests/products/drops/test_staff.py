"""Staff plan a drop in the admin, watch its room, and change its course."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from products.demo import loading
from products.demo.loading import staff_permissions
from products.drops import services as drops
from products.drops import steps
from products.drops.states import Status
from products.live.viewers import Owner
from products.models import Drop, Ticket, Variant
from tests.support.drops import begin, join, make_drop
from tests.support.factories import make_options, make_shopper, make_variant

pytestmark = pytest.mark.django_db

ADD = "/admin/products/drop/add/"


@pytest.fixture
def packer() -> Client:
    user = make_shopper(is_staff=True)
    user.user_permissions.set(staff_permissions())
    client = Client()
    client.force_login(user)
    return client


def plan(*variants: Variant, product: Variant, **fields) -> dict:
    start = timezone.localtime() + timedelta(hours=1)
    return {
        "name": "Blue lamp",
        "slug": "blue-lamp",
        "product": product.product_id,
        "variants": ",".join(str(v.pk) for v in variants),
        "starts_at_0": start.strftime("%Y-%m-%d"),
        "starts_at_1": start.strftime("%H:%M:%S"),
        "per_person": 1,
        "admitted_at_once": 5,
        "turn_s": 60,
    } | fields


def test_drop_is_planned_in_the_admin_and_closes_its_gate(packer):
    small, large = make_options(
        *({"option_values": ["S"]}, {"option_values": ["L"]}), names=["Size"]
    )

    answer = packer.post(ADD, plan(small, product=small))

    drop = Drop.objects.get()
    assert answer.status_code == 302, answer.text
    assert len(drop.seed) == 64
    assert set(Variant.objects.filter(drop=drop)) == {small}


@pytest.mark.parametrize(
    "fields, text",
    [
        ({"starts_at_0": "2020-01-01"}, "The start must be in the future."),
        ({"per_person": 0}, "greater than or equal to 1"),
    ],
)
def test_plan_that_is_impossible_is_refused(packer, fields, text):
    variant = make_variant()

    answer = packer.post(ADD, plan(product=variant, **fields))

    assert text in answer.text
    assert not Drop.objects.exists()


def test_plan_with_variants_of_another_product_is_refused(packer):
    answer = packer.post(ADD, plan(make_variant(), product=make_variant()))

    assert "Choose variants of the product." in answer.text


def test_plan_for_variants_of_another_drop_is_refused(packer):
    variant = make_variant()
    make_drop(variant)

    answer = packer.post(ADD, plan(product=variant))

    assert "Another drop sells some of these variants." in answer.text


def test_room_shows_staff_what_happens(packer):
    drop = make_drop(make_variant(on_hand=1))
    join(drop, 3)

    before = packer.get(f"/staff/drops/{drop.slug}/").text
    begin(drop)
    after = packer.get(f"/staff/drops/{drop.slug}/").text

    assert '<dd data-fact="waiting">3</dd>' in before
    assert '<dd data-fact="waiting">2</dd>' in after
    assert '<dd data-fact="admitted">1</dd>' in after
    assert f"/staff/drops/{drop.slug}/" in packer.get("/staff/drops/").text


def test_staff_pause_resume_and_stop_a_drop(packer):
    drop = begin(make_drop(make_variant(on_hand=1)))
    for move, status in [
        ("pause", Status.PAUSED),
        ("resume", Status.RUNNING),
        ("stop", Status.STOPPED),
    ]:
        packer.post(f"/staff/drops/{drop.slug}/{move}/")
        drop.refresh_from_db()
        assert drop.status == status
    assert not Variant.objects.exclude(drop=None)


def test_move_that_is_not_possible_says_so(packer):
    drop = make_drop()

    answer = packer.post(f"/staff/drops/{drop.slug}/pause/", follow=True)

    assert "The drop’s state has changed." in answer.text
    drop.refresh_from_db()
    assert drop.status == Status.PLANNED


def test_staff_slow_a_drop_down(packer):
    drop = make_drop(make_variant(on_hand=9))
    join(drop, 9)

    packer.post(
        f"/staff/drops/{drop.slug}/pace/", {"admitted_at_once": 2, "turn_s": 60}
    )

    assert begin(drop).facts["admitted"] == 2


def test_pace_that_is_impossible_says_so(packer):
    drop = make_drop()

    answer = packer.post(
        f"/staff/drops/{drop.slug}/pace/",
        {"admitted_at_once": 0, "turn_s": 60},
        follow=True,
    )

    assert "greater than or equal to 1" in answer.text


def test_drop_that_has_begun_keeps_its_plan_in_the_admin(packer):
    drop = begin(make_drop(make_variant(on_hand=1)))

    html = packer.get(f"/admin/products/drop/{drop.pk}/change/").text

    assert 'name="admitted_at_once"' in html
    assert 'name="starts_at_0"' not in html


def test_deleted_drop_sells_normally():
    drop = make_drop()
    drops.delete([drop])

    assert not Drop.objects.exists()
    assert not Variant.objects.exclude(drop=None)


def test_deleted_account_leaves_its_ticket_without_a_name(client):
    drop, user = make_drop(), make_shopper()
    drops.join(drop, Owner(user_id=user.pk), is_verified=True, network="192.0.2.1")

    drops.forget(user.pk)
    user.delete()

    ticket = Ticket.objects.get()
    assert (ticket.user, ticket.network, ticket.state) == (None, "", "passed")


def test_sessions_and_networks_of_old_drops_are_forgotten(settings):
    drop = make_drop(make_variant(on_hand=0))
    join(drop, 2)
    Ticket.objects.update(network="192.0.2.1")
    begin(drop)  # and sold out at once
    assert drops.forget_visitors() == 0

    Drop.objects.update(ended_at=timezone.now() - timedelta(days=2))

    assert drops.forget_visitors() == 2
    assert not Ticket.objects.exclude(token=None, network="").exists()
    assert steps.step(drop.pk)


def test_demo_plans_one_drop():
    variant = make_variant(sku=loading.DROPPED)

    planned = [loading.load_drop(), loading.load_drop()]

    assert planned == [1, 0]
    assert Variant.objects.get(pk=variant.pk).drop == Drop.objects.get()
