"""Telephone numbers, as people type and paste them."""

import pytest
from django.core.exceptions import ValidationError

from project import phones


@pytest.mark.parametrize(
    "country, typed, stored",
    [
        ("DE", "(030) 1234567", "(030) 1234567"),
        ("US", "(555) 123-4567", "(555) 123-4567"),
        ("US", "+1 (555) 123-4567 ext. 12", "+1 (555) 123-4567 ext. 12"),
        ("US", "555-123-4567x12", "555-123-4567x12"),
        ("US", "1-800-FLOWERS", "1-800-FLOWERS"),
        ("DE", "030\u00a01234567", "030 1234567"),
        ("DE", "\u202a+49 30 1234567\u202c", "+49 30 1234567"),
        ("DE", "\u200e+49\u2009301234567\u200f", "+49 301234567"),
        ("DE", "０３０　１２３４５６７", "030 1234567"),
        ("EG", "٠٣٠١٢٣٤٥٦٧", "0301234567"),
        ("DE", "+49–30–1234567", "+49-30-1234567"),
        ("DE", "+49 (0)30 / 123 456-7", "+49 (0)30 / 123 456-7"),
        ("DE", "Tel. 030 1234567", "Tel. 030 1234567"),
        ("", "030 1234567", "030 1234567"),
        ("DE", "030 1234567 Durchwahl 12", "030 1234567 Durchwahl 12"),
        ("PL", "+48 22 123 45 67 w. 12", "+48 22 123 45 67 w. 12"),
        ("CN", "010-12345678转8001", "010-12345678转8001"),
        ("KR", "02-123-4567 (내선 12)", "02-123-4567 (내선 12)"),
        ("DE", "☎ 030·1234567", "030·1234567"),
        ("GB", "020 7946 0958 / +44 7700 900123", "020 7946 0958 / +44 7700 900123"),
        ("US", "tel:+1-201-555-0123;ext=12", "tel:+1-201-555-0123;ext=12"),
    ],
)
def test_number_that_a_person_can_read_is_kept_as_typed(country, typed, stored):
    text = phones.tidy(typed)

    phones.check(text, country)
    phones.check_characters(text)

    assert text == stored


@pytest.mark.parametrize(
    "typed", ["call me", "12", "<b>0301234567</b>", "=cmd|'/c calc'!A0", "0" * 25, "-"]
)
def test_what_is_no_number_is_refused_with_an_example(typed):
    with pytest.raises(
        ValidationError, match="like .49 30 1234567, or leave this empty"
    ):
        phones.check(phones.tidy(typed), "DE")
