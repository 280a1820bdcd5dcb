"""Finds the variants that the rows of a product describe."""

from collections.abc import Iterable

from django.utils.translation import gettext as _

from products.catalogue import options
from products.catalogue.exceptions import WrongOptions
from products.importing.groups import Group
from products.importing.known import Known
from products.importing.problems import Refused
from products.importing.rows import Row
from products.importing.wanted import Wanted
from products.models import Product, Variant


class Chooser:
    """Chooses the variant of each row: by its SKU, or else by its option values.

    Raises `Refused` for the SKU of another product.
    """

    def __init__(self, group: Group, present: list[Variant], known: Known) -> None:
        self._group = group
        self._by_line: dict[int, Variant] = {}
        rest = {variant.pk: variant for variant in present}
        for row in group.rows:
            variant = known.by_sku(row.sku)
            if variant is None:
                continue
            if variant.pk not in rest:
                text = _("%(sku)s is already the SKU of the product “%(slug)s”.")
                values = {"sku": variant.sku, "slug": variant.product.slug}
                raise Refused("sku", text % values, row.line)
            self._by_line[row.line] = rest.pop(variant.pk)
        for row in group.rows:
            if row.line not in self._by_line:
                variant = self._by_values(row, rest.values(), len(present))
                if variant:
                    self._by_line[row.line] = rest.pop(variant.pk)
        self.unmentioned = list(rest.values())

    def variant(self, row: Row) -> Variant | None:
        """Return the row's variant; None if it is new."""
        return self._by_line.get(row.line)

    def _by_values(
        self, row: Row, rest: Iterable[Variant], count: int
    ) -> Variant | None:
        if not self._group.mentions_options(row):
            if count > 1 and not row.sku:
                text = _("The product has several variants. Enter a SKU.")
                raise Refused("sku", text, row.line)
            return next(iter(rest), None) if count == 1 else None
        values = _key(row.values)
        return next((v for v in rest if _key(v.option_values) == values), None)


def check_combinations(
    group: Group, product: Product, others: list[Variant], wanted: list[Wanted]
) -> None:
    """Check the option values of a product's variants as they will be.

    `others` are the variants that the file doesn't mention. Raises `Refused`.
    """
    size = len(product.option_names)
    if any(len(variant.option_values) != size for variant in others):
        text = _("The product has variants with other options. Add them to the file.")
        raise Refused("option1 name", text, group.line)
    places = {
        _key(variant.option_values): _("the variant %(sku)s") % {"sku": variant.sku}
        for variant in others
    }
    lines = {}
    for row, item in zip(group.rows, wanted, strict=True):
        values = item.variant.option_values
        if values and not size:
            text = _("Enter the name of the option too.")
            raise Refused("option1 name", text, row.line)
        here = _("line %(line)d") % {"line": row.line}
        place = places.setdefault(_key(values), here)
        if place != here:
            raise Refused("option1 value", _twice(values, place), row.line)
        lines[id(item.variant)] = row.line
    try:
        options.check(product, [*others, *(item.variant for item in wanted)])
    except WrongOptions as refusal:
        line = lines.get(id(refusal.variant))
        column = "option1 value" if line else "option1 name"
        raise Refused(column, str(refusal), line) from None


def _twice(values: list[str], place: str) -> str:
    if not values:
        text = _("A product without options has one variant, which is %(place)s.")
        return text % {"place": place}
    text = _("“%(values)s” is already %(place)s.")
    return text % {"values": " / ".join(values), "place": place}


def _key(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(" ".join(value.casefold().split()) for value in values)
