"""The rules for a product's options and for the values of its variants."""

from collections.abc import Iterable

from django.utils.translation import gettext as _

from products.catalogue.exceptions import WrongOptions
from products.catalogue.models import MOST_OPTIONS
from products.models import Product, Variant

MOST_VARIANTS = 100  # of a product with options


def check(product: Product, variants: Iterable[Variant]) -> None:
    """Raise `WrongOptions` unless each variant has its own value for each option.

    `variants` are all variants of the product. Capitals make no difference.
    """
    variants = list(variants)
    _check_names(product.option_names)
    if len(variants) > MOST_VARIANTS:
        text = _("A product has at most %(most)d variants.")
        raise WrongOptions(text % {"most": MOST_VARIANTS})
    seen = set()
    for variant in variants:
        _check_values(product.option_names, variant)
        combination = tuple(map(_key, variant.option_values))
        if combination in seen:
            raise WrongOptions(_double(variant), variant)
        seen.add(combination)


def _check_names(names: list[str]) -> None:
    if len(names) > MOST_OPTIONS:
        text = _("A product has at most %(most)d options.")
        raise WrongOptions(text % {"most": MOST_OPTIONS})
    if not all(map(_key, names)):
        raise WrongOptions(_("Each option needs a name."))
    if len(set(map(_key, names))) < len(names):
        raise WrongOptions(_("Two options have the same name."))


def _check_values(names: list[str], variant: Variant) -> None:
    values = variant.option_values
    if len(values) != len(names):
        text = _("%(sku)s has %(values)d option values. The product has %(n)d options.")
        facts = {"sku": variant.sku, "values": len(values), "n": len(names)}
        raise WrongOptions(text % facts, variant)
    for name, value in zip(names, values, strict=True):
        if not _key(value):
            text = _("%(sku)s has no value for “%(option)s”.")
            raise WrongOptions(text % {"sku": variant.sku, "option": name}, variant)


def _double(variant: Variant) -> str:
    if not variant.option_values:
        return _("A product without options has exactly one variant.")
    text = _("Another variant is “%(values)s” already.")
    return text % {"values": ", ".join(variant.option_values)}


def _key(text: str) -> str:
    """Return what makes a name or a value different from others."""
    return " ".join(text.casefold().split())
