"""How text is found: one vector for each product, and an index of words for typos.

No extension of PostgreSQL is needed. A shop starts on whatever PostgreSQL there is, and
the one that comes with `make run` has neither pg_trgm nor unaccent.

- Accents go by Unicode's own decomposition, which PostgreSQL has built in.
- One vector serves English and Russian: the configuration "russian" stems words in
  Latin letters as English, by its definition. So a query in either language finds what
  is written in either, on pages of any language, and there is one index to keep.
- Typos are looked up in a table of the catalogue's words. Words that share trigrams
  (an array, with a GIN index) are candidates, and the edit distance chooses among
  them: better than similarity alone, which misses short words.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVectorField
from django.db import models
from django.db.models import BooleanField, F, FloatField, Func
from django.db.models.expressions import RawSQL
from django.utils.translation import gettext_lazy as _

CONFIG = "russian"
MAX_WORDS = 12  # of a query; nobody means more
SHORTEST, LONGEST = 3, 40  # letters of a word that may be a typo
CANDIDATES = 60
MAX_TEXT = 50_000  # characters of a description; a vector holds no more than 1 MB
BATCH = 2000

# --- Words ------------------------------------------------------------------------

# The same rules here and in SQL, character by character: no locale has a say in them.
MARKS = "(?<![иИ])[\\u0300-\\u036F]"  # й is a letter, not an и with an accent
APOSTROPHES = "[\\u0027\\u0060\\u00B4\\u02BC\\u2018\\u2019]"
GAPS = (
    "[\\u0001-\\u002F\\u003A-\\u0040\\u005B-\\u0060\\u007B-\\u00BF\\u00D7\\u00F7"
    "\\u2000-\\u206F\\u20A0-\\u20CF\\u2100-\\u2BFF\\u3000-\\u303F\\uFE00-\\uFE0F]+"
)


def words(text: str) -> list[str]:
    """The words of `text` as they are looked up: in small letters without accents, each
    once, in their order."""
    plain = re.sub(MARKS, "", unicodedata.normalize("NFKD", text.lower()))
    plain = re.sub(APOSTROPHES, "", unicodedata.normalize("NFC", plain))
    return list(dict.fromkeys(re.sub(GAPS, " ", plain).split()))


def _in_sql(text: models.Expression) -> Func:
    """`words` for the database; the letters' size is the vector's own business."""
    steps = [
        "normalize(%(expressions)s, NFKD)",
        f"regexp_replace(%(expressions)s, '{MARKS}', '', 'g')",
        "normalize(%(expressions)s, NFC)",
        f"regexp_replace(%(expressions)s, '{APOSTROPHES}', '', 'g')",
        f"regexp_replace(%(expressions)s, '{GAPS}', ' ', 'g')",
    ]
    for step in steps:
        text = Func(text, template=step, output_field=models.TextField())
    return text


# --- Vectors ----------------------------------------------------------------------


class VectorField(models.GeneratedField):
    """A tsvector that the database keeps to itself: nobody wants it back after an
    INSERT, nor in a dump."""

    db_returning = False

    def __init__(self, **kwargs) -> None:
        fixed = {"db_persist": True, "serialize": False}
        super().__init__(**{"output_field": SearchVectorField()} | kwargs | fixed)


def vector() -> Func:
    """Name and sku weigh A, the description B. Names are in there as they are written
    too, for what is still being typed: "runni" is no beginning of the stem "run"."""
    name = _in_sql(F("name"))
    squeezed = Func(
        _in_sql(F("sku")),
        template="replace(%(expressions)s, ' ', '')",
        output_field=models.TextField(),
    )
    beginning = Func(
        F("description"),
        template=f"left(%(expressions)s, {MAX_TEXT})",
        output_field=models.TextField(),
    )
    parts = [
        _weighed(name, CONFIG, "A"),
        _weighed(name, "simple", "A"),
        _weighed(_in_sql(F("sku")), "simple", "A"),
        _weighed(squeezed, "simple", "A"),
        _weighed(_in_sql(beginning), CONFIG, "B"),
    ]
    return Func(
        *parts,
        template="(%(expressions)s)",
        arg_joiner=" || ",
        output_field=SearchVectorField(),
    )


def _weighed(text: Func, config: str, weight: str) -> Func:
    return Func(
        text,
        template=(
            f"setweight(to_tsvector('{config}'::regconfig, %(expressions)s),"
            f" '{weight}')"
        ),
        output_field=SearchVectorField(),
    )


# --- Queries ----------------------------------------------------------------------

# A word as its stem anywhere, or as the beginning of a word of the name or the sku. A
# word that stands in every text ("the") asks for nothing beside others.
_WORD = (
    f"CASE WHEN numnode(plainto_tsquery('{CONFIG}', %s)) = 0 THEN ''::tsquery"
    f" ELSE plainto_tsquery('{CONFIG}', %s) || to_tsquery('simple', %s) END"
)
_BEGINNING = "to_tsquery('simple', %s)"


def text_query(text: str) -> RawSQL | None:
    """The tsquery for products with every word of `text`; None if it has no words.

    The words are data: no operator means anything here, so no text is an error.
    """
    found = words(text)[:MAX_WORDS]
    if not found:
        return None
    beginnings = [f"'{word}':*A" for word in found]
    each = " && ".join(f"({_WORD})" for _ in found)
    alone = " && ".join(_BEGINNING for _ in found)
    values = [
        value
        for word, beginning in zip(found, beginnings, strict=True)
        for value in (word, word, beginning)
    ]
    # Nothing but words that stand everywhere: then of the names that begin so.
    sql = f"CASE WHEN numnode({each}) = 0 THEN {alone} ELSE {each} END"
    return RawSQL(sql, [*values, *beginnings, *values])


def matches(query: RawSQL) -> Func:
    """The condition that a product's text answers `query`."""
    return Func(
        F("search"),
        query,
        template="%(expressions)s",
        arg_joiner=" @@ ",
        output_field=BooleanField(),
    )


def rank(query: RawSQL) -> Func:
    """How well it does."""
    return Func(F("search"), query, function="ts_rank", output_field=FloatField())


# --- Typos ------------------------------------------------------------------------


def trigrams(word: str) -> list[str]:
    """Each three letters in a row, the word's ends among them."""
    padded = f"  {word} "
    return sorted({padded[i : i + 3] for i in range(len(padded) - 2)})


def distance(one: str, other: str) -> int:
    """How many letters must be changed, added, left out or swapped with their neighbour
    to make one word the other (optimal string alignment)."""
    before, last = [], list(range(len(other) + 1))
    for i, letter in enumerate(one, start=1):
        row = [i]
        for j, its in enumerate(other, start=1):
            cost = min(last[j] + 1, row[-1] + 1, last[j - 1] + (letter != its))
            if i > 1 and j > 1 and letter == other[j - 2] and one[i - 2] == its:
                cost = min(cost, before[j - 2] + 1)
            row.append(cost)
        before, last = last, row
    return last[-1]


def tolerance(word: str) -> int:
    """How many mistakes a word of this length may have."""
    return 1 if len(word) <= 5 else 2 if len(word) <= 9 else 3


class SearchWordQuerySet(models.QuerySet):
    """The words that products are found by."""

    def learn(self, products: Iterable[tuple[str, str]]) -> int:
        """Note the words of products, given as (name, description); how many words.

        Adds only: a word that nobody uses any more is harmless, as a correction counts
        once it finds something, and `relearn` forgets it.
        """
        return self._note(_counted(products), keep=["text"])

    def relearn(self, products: Iterable[tuple[str, str]]) -> int:
        """Know the words of these products and no others; how many words."""
        counted = _counted(products)
        self.exclude(text__in=counted).delete()
        return self._note(counted, keep=["products"])

    def _note(self, counted: Counter[str], keep: list[str]) -> int:
        # In one order always: two workers never wait for each other in a circle.
        rows = [
            self.model(text=text, trigrams=trigrams(text), products=number)
            for text, number in sorted(counted.items())
        ]
        self.bulk_create(
            rows,
            BATCH,
            update_conflicts=True,
            unique_fields=["text"],
            update_fields=keep,
        )
        return len(rows)

    def nearest(self, word: str) -> str | None:
        """The word that was meant by `word`, which nothing has; None if nobody knows.

        Of words equally near, the one that most products have.
        """
        if not _may_be_misspelt(word):
            return None
        near = []
        for text, number in self._like(word):
            far = distance(word, text)
            if far <= tolerance(word):
                near.append((far, -number, text))
        return min(near)[2] if near else None

    def _like(self, word: str) -> list[tuple[str, int]]:
        """Words that share trigrams with it, those that share most of theirs first."""
        theirs = trigrams(word)
        shared = RawSQL(
            "cardinality(ARRAY(SELECT unnest(trigrams)"
            " INTERSECT SELECT unnest(%s::varchar[])))::float8",
            [theirs],
            output_field=FloatField(),
        )
        size = Func(F("trigrams"), function="cardinality", output_field=FloatField())
        alike = (
            self.filter(trigrams__overlap=theirs)
            .annotate(shared=shared)
            .annotate(alike=F("shared") / (size + float(len(theirs)) - F("shared")))
        )
        found = alike.order_by("-alike", "-products", "text")
        return list(found.values_list("text", "products")[:CANDIDATES])


def _counted(products: Iterable[tuple[str, str]]) -> Counter[str]:
    """In how many of them each word is that somebody may misspell."""
    counted: Counter[str] = Counter()
    for texts in products:
        found = words(" ".join(texts))
        counted.update(
            w for w in found if SHORTEST <= len(w) <= LONGEST and w.isalpha()
        )
    return counted


def _may_be_misspelt(word: str) -> bool:
    return SHORTEST <= len(word) <= LONGEST and word.isalpha()


class SearchWord(models.Model):
    """A word of the catalogue."""

    text = models.CharField(_("word"), max_length=LONGEST, unique=True)
    trigrams = ArrayField(models.CharField(max_length=3))
    products = models.PositiveIntegerField(_("products"), default=0)

    objects = SearchWordQuerySet.as_manager()

    class Meta:
        ordering = ["text"]
        verbose_name = _("word")
        verbose_name_plural = _("words")
        indexes = [GinIndex(fields=["trigrams"], name="word_trigrams")]

    def __str__(self) -> str:
        return self.text
