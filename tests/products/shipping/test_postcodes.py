"""Parts of countries, as staff write them, and the postcodes in them."""

import pytest

from products.shipping.postcodes import Unreadable, parse, text_of


@pytest.mark.parametrize(
    "text, postcode, is_in",
    [
        ("DE: 27498", "27498", True),
        ("DE: 27498", "D-27498", True),
        ("DE: 27498", "27499", False),
        ("DE: 25845–25849", "25847", True),
        ("DE: 25845-25849", "25849", True),
        ("DE: 25845–25849", "25850", False),
        ("DE: 25845–25849", "25844", False),
        ("DE: 25845–25849", "", False),
        ("ES: 35", "35007", True),
        ("ES: 35, 38", "38611", True),
        ("ES: 35*", "3", False),
        ("NL: 8881–8899", "8899 AB", True),
        ("NL: 8881–8899", "8900 AB", False),
        ("IE: H91", "H91 E2K3", True),
        ("IE: H91", "D02 AF30", False),
        ("CA: X0", "X0A 0A1", True),
        ("US: 995–999", "99501-1234", True),
        ("SE: 98", "SE-981 23", True),
        ("GB: IV", "IV2 3AB", True),
        ("GB: G", "G1 1AA", True),
        ("GB: G", "GU1 1AA", False),
        ("GB: KW1–KW14", "KW2 6AA", True),
        ("GB: KW1–KW14", "KW14 7AA", True),
        ("GB: KW1–KW14", "kw147aa", True),
        ("GB: KW1–KW14", "KW15 1AA", False),
        ("GB: PA2", "PA20 9AA", False),
        ("GB: EC1", "EC1A 1BB", True),
        ("UK: ZE", "ZE1 0AA", True),
        ("GB: ZE", "1", False),
    ],
)
def test_part_contains_the_postcodes_that_begin_so(text, postcode, is_in):
    assert any(part.contains(postcode) for part in parse(text)) is is_in


def test_text_is_read_back_as_it_is_written():
    text = "DE: 27498, 25845–25849\nGB: IV, KW1–KW14"

    assert text_of(parse(text)) == text
    assert text_of(parse(" de:27498 , 25845 - 25849*\r\n\r\nuk: iv,kw1-kw14,")) == text


@pytest.mark.parametrize(
    "text, line, reason",
    [
        ("27498", 1, Unreadable.NO_COUNTRY),
        ("DE: 1\nGermany: 27498", 2, Unreadable.NO_COUNTRY),
        ("XX: 1", 1, Unreadable.NO_COUNTRY),
        ("DE: 1–2–3", 1, Unreadable.NO_POSTCODE),
        ("DE: –2", 1, Unreadable.NO_POSTCODE),
        ("DE: ?", 1, Unreadable.NO_POSTCODE),
        ("GB: 123", 1, Unreadable.NO_POSTCODE),
        ("DE: 25849–25845", 1, Unreadable.NO_RANGE),
        ("DE: 25–25849", 1, Unreadable.NO_RANGE),
        ("GB: KW1–PH2", 1, Unreadable.NO_RANGE),
        ("GB: KW9–KW2", 1, Unreadable.NO_RANGE),
        ("GB: IV–KW", 1, Unreadable.NO_RANGE),
    ],
)
def test_wrong_line_is_refused_with_its_number_and_the_reason(text, line, reason):
    with pytest.raises(Unreadable) as refusal:
        parse(text)

    assert (refusal.value.line, refusal.value.reason) == (line, reason)
