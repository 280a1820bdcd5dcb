"""Which sales or discounts concern which variants."""

from collections import defaultdict
from collections.abc import Collection, Iterator

from django.db.models import Value

from products.models import Variant
from products.pricing.models.targets import Targeted

KINDS = {"products": "product", "categories": "productcategory", "variants": "variant"}


class Reach:
    """The rows of a model that concern some variants, by the rows' keys."""

    def __init__(
        self,
        model: type[Targeted],
        keys: Collection[int],
        variants: Collection[Variant],
    ) -> None:
        """Load them with one query, or without one if there are no keys.

        Needs the variants' products; none of these has to be saved yet.
        """
        self._rows: dict[tuple[str, int], list[int]] = defaultdict(list)
        if not keys or not variants:
            return
        found = [_targets(model, kind, keys, variants) for kind in KINDS]
        for kind, row, target in found[0].union(*found[1:], all=True):
            self._rows[kind, target].append(row)

    def of(self, variant: Variant) -> Iterator[int]:
        """Return the keys of the rows that concern a variant; some may come twice."""
        for kind in KINDS:
            if pk := _key(variant, kind):
                yield from self._rows.get((kind, pk), ())


def _targets(
    model: type[Targeted],
    kind: str,
    keys: Collection[int],
    variants: Collection[Variant],
):
    """Return kind, row and target of each target of these variants."""
    owner, column = str(model._meta.model_name), KINDS[kind]
    wanted = {pk for variant in variants if (pk := _key(variant, kind))}
    through = getattr(model, kind).through.objects
    rows = through.filter(**{f"{owner}__in": keys, f"{column}__in": wanted})
    return rows.values_list(Value(kind), f"{owner}_id", f"{column}_id")


def _key(variant: Variant, kind: str) -> int | None:
    """Return the key that targets of this kind have for a variant."""
    if kind == "variants":
        return variant.pk
    product = variant.product
    return product.pk if kind == "products" else product.category_id
