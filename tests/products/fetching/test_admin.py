"""The admin's list of pictures to fetch."""

import pytest
from django.urls import reverse

from products.fetching import services as fetching
from products.fetching.services import Wanted
from products.models import PictureFetch
from tests.support.factories import make_product

pytestmark = pytest.mark.django_db
LIST = "admin:products_picturefetch_changelist"


def test_staff_see_why_a_fetch_failed_and_try_again(admin_client):
    product = make_product(name="Lamp")
    fetching.request([Wanted(product.pk, "http://10.0.0.1/lamp.png")])
    fetching.fetch_due()
    (row,) = PictureFetch.objects.all()

    page = admin_client.get(reverse(LIST))
    assert "The address is in a private network" in page.text

    data = {"action": "try_again", "_selected_action": [row.pk]}
    answer = admin_client.post(reverse(LIST), data, follow=True)

    assert "try to fetch 1 picture again" in answer.text
    row.refresh_from_db()
    assert (row.failures, row.problem, row.retry_at) == (0, "", None)
