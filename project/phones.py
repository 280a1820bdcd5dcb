"""Phone numbers. They are optional and read by people, so validation is lenient."""

import re
import unicodedata
from typing import Any

import phonenumbers
from django import forms
from django.core.exceptions import ValidationError
from django.db import models
from django.utils.translation import gettext_lazy as _

NOT_A_NUMBER = _("Enter a phone number, like +49 30 1234567, or leave this empty.")
MAX_LENGTH = 40
# Letters too: "ext. 12", "1-800-FLOWERS".
ALLOWED = re.compile(r"[\w +()\[\]/.,;:=#*·~|\\-]*")
NUMBER = r"[+(]{0,2}[\d ()\[\]/.,;:*·~_|\\-]{4,}"
# A word for "extension" in any language ("ext.", "Durchwahl", "w.", "内線"), or "#".
EXTENSION = r"(?:[^\W\d_]{1,12}[ .:=]*|#) ?\d{1,8}[ )\]#]*"
OR = r"(?:/|,|;|\||[^\W\d_]{1,4}) ?"
PLAUSIBLE = re.compile(f"{NUMBER}(?:{EXTENSION}|{OR}{NUMBER})?")
DECORATION = "☎☏✆📞📱\u260e\ufe0e\ufe0f'\"`´‘’“”"
DASHES = dict.fromkeys(map(ord, "‐‑‒–—―−－"), "-")


def tidy(text: str) -> str:
    """Return `text` with ASCII digits and single spaces, and without direction marks,
    no-break spaces, full-width characters, quotes and phone symbols."""
    plain = unicodedata.normalize("NFKC", text).translate(DASHES)
    plain = "".join(_plain(char) for char in plain)
    return " ".join(plain.strip(DECORATION + " ").split())


def _plain(char: str) -> str:
    if char.isdecimal():
        return str(unicodedata.decimal(char))
    return "" if unicodedata.category(char) == "Cf" else char


def check(text: str, country: str = "") -> None:
    """Raises `ValidationError` if `text` is not a phone number, in `country` (an ISO
    code) or with a country code of its own."""
    if not ALLOWED.fullmatch(text) or not 4 <= sum(map(str.isdigit, text)) <= 24:
        raise ValidationError(NOT_A_NUMBER, code="phone_number")
    if PLAUSIBLE.fullmatch(text):
        return
    try:
        number = phonenumbers.parse(text, country or None)
    except phonenumbers.NumberParseException as error:
        raise ValidationError(NOT_A_NUMBER, code="phone_number") from error
    if not phonenumbers.is_possible_number(number):
        raise ValidationError(NOT_A_NUMBER, code="phone_number")


def check_characters(text: str) -> None:
    """Check without a country. Raises `ValidationError`."""
    if not ALLOWED.fullmatch(text) or sum(map(str.isdigit, text)) < 4:
        raise ValidationError(NOT_A_NUMBER, code="phone_number")


class PhoneFormField(forms.CharField):
    """Tidies a phone number. The form checks it, because it knows the country."""

    def to_python(self, value: str | None) -> str:
        return tidy(super().to_python(value) or "")


class PhoneField(models.CharField):
    """A phone number, as people write it."""

    default_validators = [check_characters]

    def formfield(self, **kwargs: Any) -> forms.Field | None:
        return super().formfield(**{"form_class": PhoneFormField} | kwargs)
