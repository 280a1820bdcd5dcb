"""Reads numbers as spreadsheets of any country write them, if they are unambiguous."""

import re
from decimal import Decimal

# "1234", "12.5", "12,50".
PLAIN = re.compile(r"([0-9]{1,12})(?:[.,]([0-9]{1,20}))?")
# "1,234.50", "1.234,50", "1 234,50", "1'234.50", "1,234,567".
GROUPED = re.compile(
    r"([1-9][0-9]{0,2}(?:(?P<mark>[.,' \u00a0\u2007\u2009\u202f’])[0-9]{3})"
    r"(?:(?P=mark)[0-9]{3}){0,3})(?:(?!(?P=mark))[.,]([0-9]{1,20}))?"
)
# An amount: what is before the digits, the digits, and what is after them.
AROUND = re.compile(r"([^0-9]*)(.*[0-9])([^0-9]*)", re.DOTALL)
AMOUNTS = frozenset("0123456789.,")
LONGEST = 60  # characters of an amount
# Marks of direction, which a browser copies along.
INVISIBLE = re.compile("[\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff]")
MINUS = re.compile(r"[-−﹣－]")

# Signs and abbreviations of currencies, beside their codes.
SIGNS = {
    **{"€": "EUR", "euro": "EUR", "euros": "EUR", "£": "GBP", "us$": "USD"},
    **{"$": "USD CAD AUD NZD SGD HKD MXN", "r$": "BRL", "fr.": "CHF", "sfr.": "CHF"},
    **{"zł": "PLN", "kč": "CZK", "ft": "HUF", "lei": "RON", "лв.": "BGN", "лв": "BGN"},
    **{"kr": "SEK NOK DKK ISK", "kr.": "SEK NOK DKK ISK", "₺": "TRY", "tl": "TRY"},
    **{"₽": "RUB", "руб.": "RUB", "руб": "RUB", "₴": "UAH", "грн": "UAH", "₹": "INR"},
    **{"¥": "JPY CNY", "￥": "JPY CNY", "円": "JPY", "元": "CNY", "₩": "KRW"},
    **{"₪": "ILS", "₫": "VND", "฿": "THB", "₸": "KZT"},
}


class NotANumber(ValueError):
    """A text that is no number, or not one that is allowed here."""


class Negative(NotANumber):
    """A negative number."""


class Ambiguous(NotANumber):
    """A text such as “1,000”, which is 1 in Berlin and 1000 in Boston."""


class OtherCurrency(NotANumber):
    """An amount in another currency. `str()` is the currency as it is written."""


def number(text: str) -> Decimal:
    """Return the number in `text`, with any separators of decimals and thousands.

    Raises `Ambiguous` if it has one separator before three digits, or spaces between
    digits and no decimals to prove that they separate thousands. Raises `NotANumber`
    for other texts.
    """
    if plain := PLAIN.fullmatch(text):
        whole, decimals = plain.groups()
        if decimals is None:
            return Decimal(whole)
        if len(decimals) == 3 and len(whole) <= 3 and whole[0] != "0":
            raise Ambiguous(text)
        return Decimal(f"{whole}.{decimals}")
    if grouped := GROUPED.fullmatch(text):
        whole, mark, decimals = grouped[1], grouped["mark"], grouped[3]
        is_sure = mark in ".," and whole.count(mark) > 1
        if decimals is None and not is_sure:
            raise Ambiguous(text)
        return Decimal(f"{whole.replace(mark, '')}.{decimals or 0}")
    raise NotANumber(text)


def amount(text: str, currency: str) -> Decimal:
    """Return an amount, with or without a sign or code of its currency on either side.

    `currency` is a code of ISO 4217. Raises `OtherCurrency` for the sign of another
    currency, `Negative`, and the exceptions of `number`.
    """
    if PLAIN.fullmatch(text):
        return number(text)
    if len(text) > LONGEST:  # AROUND would take quadratic time
        raise NotANumber(text)
    parts = AROUND.fullmatch(INVISIBLE.sub("", text))
    if parts is None:
        raise NotANumber(text)
    before, digits, after = (part.strip() for part in parts.groups())
    if MINUS.search(before):
        raise Negative(text)
    if cents := re.match(r"[.,][-–—]{1,2}", after):  # "19,-"
        after = after[cents.end() :].strip()
    sign = (before or after).casefold()
    if before and after:
        raise NotANumber(text)
    if sign and currency not in SIGNS.get(sign, sign.upper()).split():
        is_currency = sign in SIGNS or (len(sign) == 3 and sign.isalpha())
        raise OtherCurrency(before or after) if is_currency else NotANumber(text)
    return number(digits)


def is_negative(text: str) -> bool:
    """Return whether `text` is a negative number."""
    sign, digits = text[:1], text[1:].strip()
    return bool(
        MINUS.match(sign) and digits[:1].isdigit() and AMOUNTS.issuperset(digits)
    )
