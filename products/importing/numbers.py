"""Numbers as spreadsheets of all countries write them, read only where they mean one
thing."""

import re
from decimal import Decimal

# "1234", "12.5", "12,50".
PLAIN = re.compile(r"([0-9]{1,12})(?:[.,]([0-9]{1,20}))?")
# "1,234.50", "1.234,50", "1 234,50", "1'234.50", "1,234,567".
GROUPED = re.compile(
    r"([1-9][0-9]{0,2}(?:(?P<mark>[.,' \u00a0\u2007\u2009\u202f’])[0-9]{3})"
    r"(?:(?P=mark)[0-9]{3}){0,3})(?:(?!(?P=mark))[.,]([0-9]{1,20}))?"
)
# Letters, signs, and marks of direction that a browser copies along.
AROUND = re.compile(r"([^0-9]*)(.*[0-9])([^0-9]*)", re.DOTALL)
AMOUNTS = frozenset("0123456789.,")
LONGEST = 60  # characters of an amount
UNSEEN = re.compile("[\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff]")
MINUS = re.compile(r"[-−﹣－]")

# What a currency is written as, beside its code.
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
    """A text that is no number at all, or not one that goes in here."""


class Negative(NotANumber):
    """A number below nothing."""


class Ambiguous(NotANumber):
    """“1,000” is one in Berlin and a thousand in Boston."""


class OtherCurrency(NotANumber):
    """An amount of money that is not ours. `str()` is the currency as written."""


def number(text: str) -> Decimal:
    """The number that `text` is, whatever mark its decimals and thousands have.

    Raises `Ambiguous` for one separator with three digits behind, and for spaces
    between digits where no decimals prove that they group; `NotANumber` for the rest.
    """
    if found := PLAIN.fullmatch(text):
        whole, decimals = found.groups()
        if decimals is None:
            return Decimal(whole)
        if len(decimals) == 3 and len(whole) <= 3 and whole[0] != "0":
            raise Ambiguous(text)
        return Decimal(f"{whole}.{decimals}")
    if found := GROUPED.fullmatch(text):
        mark, decimals = found["mark"], found[3]
        is_sure = mark in ".," and found[1].count(mark) > 1
        if decimals is None and not is_sure:
            raise Ambiguous(text)
        return Decimal(f"{found[1].replace(mark, '')}.{decimals or 0}")
    raise NotANumber(text)


def amount(text: str, currency: str) -> Decimal:
    """An amount of money with or without its currency's sign or code, before or after.

    Raises `OtherCurrency` for a sign that is not of `currency` (ISO 4217), `Negative`,
    and what `number` raises.
    """
    if PLAIN.fullmatch(text):
        return number(text)
    # In a long text, AROUND would look for the digits again and again.
    found = AROUND.fullmatch(UNSEEN.sub("", text)) if len(text) <= LONGEST else None
    if found is None:
        raise NotANumber(text)
    before, digits, after = (part.strip() for part in found.groups())
    if MINUS.search(before):
        raise Negative(text)
    if cents := re.match(r"[.,][-–—]{1,2}", after):  # "19,-"
        after = after[cents.end() :].strip()
    sign = (before or after).casefold()
    if before and after:
        raise NotANumber(text)
    if sign and currency not in SIGNS.get(sign, sign.upper()).split():
        is_known = sign in SIGNS or (len(sign) == 3 and sign.isalpha())
        raise OtherCurrency(before or after) if is_known else NotANumber(text)
    return number(digits)


def is_negative(text: str) -> bool:
    """Whether `text` is a number below nothing, however it is written."""
    sign, digits = text[:1], text[1:].strip()
    return bool(
        MINUS.match(sign) and digits[:1].isdigit() and AMOUNTS.issuperset(digits)
    )
