"""Every page may show the basket; who does not show it pays nothing."""

import pytest
from django.contrib.auth.models import AnonymousUser
from django.template import engines
from django.test import RequestFactory

from products.live.viewers import BASKET_TOKEN
from project.sessions import SessionStore
from realtime.registry import State
from tests.support.factories import make_basket, make_owner, make_variant

pytestmark = pytest.mark.django_db


@pytest.fixture
def request_with_basket():
    owner = make_owner()
    make_basket(owner, {make_variant(): 3})
    request = RequestFactory().get("/")
    request.user, request.session = AnonymousUser(), SessionStore()
    request.session[BASKET_TOKEN] = owner.token
    request._messages = []
    return request


def show(template: str, request) -> str:
    return engines["django"].from_string(template).render({}, request)


def test_baskets_in_a_template_without_them_cost_no_query(
    request_with_basket, django_assert_num_queries
):
    with django_assert_num_queries(0):
        assert show("Nothing of it", request_with_basket) == "Nothing of it"


def test_baskets_shown_twice_cost_one_query(
    request_with_basket, django_assert_num_queries
):
    badge = "{{ baskets.badge.basket.count }}: {{ baskets.badge.basket.total }} "

    with django_assert_num_queries(1):
        assert show(badge * 2, request_with_basket) == "3: 37.50 3: 37.50 "


def test_baskets_of_a_page_that_has_loaded_them_cost_no_query(
    request_with_basket, django_assert_num_queries
):
    request_with_basket.basket_state = State(
        9, {"count": 5, "value": "1.00", "total": "3.00"}
    )

    with django_assert_num_queries(0):
        badge = "{{ baskets.badge.basket.count }} v{{ baskets.badge.version }}"
        assert show(badge, request_with_basket) == "5 v9"
        assert show("{{ baskets.badge.basket.total }}", request_with_basket) == "1.00"


def test_categories_in_a_template_without_them_cost_no_query(
    request_with_basket, django_assert_num_queries
):
    with django_assert_num_queries(0):
        show("{{ SHOP_NAME }}", request_with_basket)
    with django_assert_num_queries(1):
        show("{% for c in categories %}{{ c }}{% endfor %}" * 2, request_with_basket)
