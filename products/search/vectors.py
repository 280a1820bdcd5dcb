"""The search vector of a product, which the database computes from its text.

One vector serves English and Russian. PostgreSQL's configuration "russian" stems words
in Latin letters as English. So a query in either language finds text in either
language, and there is one index to maintain.
"""

from django.contrib.postgres.search import SearchVectorField
from django.db import models
from django.db.models import Func

from products.search import folding

CONFIG = "russian"
MAX_TEXT = 50_000  # characters of a description; a vector holds no more than 1 MB

FUNCTIONS = folding.FUNCTIONS + folding.vector_function(CONFIG, MAX_TEXT)
DROP_FUNCTIONS = (
    "DROP FUNCTION product_vector, search_hyphenated, search_joined, search_skeletons,"
    " search_skeleton, search_other, search_spelt_out, search_plain, search_written"
)


class VectorField(models.GeneratedField):
    """A tsvector that stays in the database.

    Neither an INSERT nor a dump returns it: nothing in Python needs it.
    """

    # The stubs know no field of this kind that is not returned.
    db_returning = False  # type: ignore[assignment]

    def __init__(self, **kwargs) -> None:
        fixed = {"db_persist": True, "serialize": False}
        super().__init__(**{"output_field": SearchVectorField()} | kwargs | fixed)


def vector() -> Func:
    """The expression for a product's vector; see `folding.vector_function`."""
    return Func(
        *("name", "skus", "description"),
        function="product_vector",
        output_field=SearchVectorField(),
    )
