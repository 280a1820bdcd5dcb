"""The admin's list of VAT numbers."""

import pytest
from django.urls import reverse

from tests.products.vat.business import COMPANY, give_number
from tests.support.factories import make_shopper

pytestmark = pytest.mark.django_db
LIST = "admin:products_vatnumber_changelist"


@pytest.mark.parametrize(
    "action, status", [("accept", "accepted"), ("refuse", "refused")]
)
def test_staff_decide_about_a_number(admin_client, admin_user, action, status):
    number = give_number(make_shopper(), accepted=False)
    assert COMPANY in admin_client.get(reverse(LIST)).text

    data = {"action": action, "_selected_action": [number.pk]}
    answer = admin_client.post(reverse(LIST), data, follow=True)

    number.refresh_from_db()
    assert f"1 VAT number is {status}." in answer.text
    assert (number.status, number.decided_by) == (status, admin_user)
    assert number.decided_at is not None


def test_list_of_numbers_takes_no_query_for_each_row(
    admin_client, django_assert_max_num_queries
):
    for _n in range(5):
        give_number(make_shopper())

    with django_assert_max_num_queries(14):
        admin_client.get(reverse(LIST))
