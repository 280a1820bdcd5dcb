"""Our select of countries is Django's."""

import pytest
from django import forms
from django.contrib.auth.models import AnonymousUser
from django.test.html import parse_html
from django_countries import countries
from django_countries.widgets import LazySelect

from products.orders.forms import ContactForm
from project.widgets import CountrySelect
from users.forms.profile import AddressForm
from users.models import User

CHOICES = [("", "---"), *countries, ("X", "<b>O'Neil</b> & Co")]


@pytest.mark.parametrize("value", ["", None, "DE", "nowhere", "X", '">'])
@pytest.mark.parametrize("attrs", [{"id": "a", "required": True}, {"title": '<"&'}])
def test_select_of_countries_is_what_django_makes(value, attrs):
    ours, django = CountrySelect(choices=CHOICES), LazySelect(choices=CHOICES)

    html = ours.render("country", value, attrs)

    expected = django.render("country", value, attrs, forms.renderers.DjangoTemplates())
    assert parse_html(html) == parse_html(expected)
    assert html.count("<option") == len(CHOICES)


@pytest.mark.django_db  # the countries of the shipping zones
@pytest.mark.parametrize(
    "form, user", [(ContactForm, AnonymousUser()), (AddressForm, User())]
)
def test_forms_with_a_country_use_it(form, user):
    assert isinstance(form(user=user).fields["country"].widget, CountrySelect)
