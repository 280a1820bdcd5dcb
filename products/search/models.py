"""How text is found: one vector for each product, and an index of words for typos.

No extension of PostgreSQL is needed. A shop starts on whatever PostgreSQL there is, and
the one that comes with `make run` has neither pg_trgm nor unaccent.

- Spellings of a word find each other by rules of our own (`folding`), as functions of
  the database: größe, grosse and groesse; tea pot, tea-pot and teapot.
- One vector serves English and Russian: the configuration "russian" stems words in
  Latin letters as English, by its definition. So a query in either language finds what
  is written in either, on pages of any language, and there is one index to keep.
- Typos are looked up in a table of the catalogue's words. Words that share trigrams
  (an array, with a GIN index) are candidates, and the edit distance chooses among
  them: better than similarity alone, which misses short words.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVectorField
from django.db import models
from django.db.models import BooleanField, F, FloatField, Func, Q, Value
from django.db.models.expressions import CombinedExpression, RawSQL
from django.utils.translation import gettext_lazy as _
from rapidfuzz.distance import OSA

from products.search.folding import (
    FUNCTIONS,
    forms,
    joined,
    plain,
    skeleton,
    spelt_out,
    vector_function,
    written,
)

CONFIG = "russian"
MAX_WORDS = 12  # of a query; nobody means more
SHORTEST, LONGEST = 3, 40  # letters of a word that may be a typo
CANDIDATES = 60
MAX_TEXT = 50_000  # characters of a description; a vector holds no more than 1 MB
BATCH = 2000

# --- Words ------------------------------------------------------------------------


def words(text: str) -> list[str]:
    """The words of `text` in small letters without accents, each once, in their
    order."""
    return list(dict.fromkeys(plain(written(text)).split()))


# --- Vectors ----------------------------------------------------------------------


class VectorField(models.GeneratedField):
    """A tsvector that the database keeps to itself: nobody wants it back after an
    INSERT, nor in a dump."""

    db_returning = False

    def __init__(self, **kwargs) -> None:
        fixed = {"db_persist": True, "serialize": False}
        super().__init__(**{"output_field": SearchVectorField()} | kwargs | fixed)


def vector() -> Func:
    """What a product is found by; `folding.vector_function` says how."""
    return Func(
        *("name", "sku", "description"),
        function="product_vector",
        output_field=SearchVectorField(),
    )


FUNCTIONS = FUNCTIONS + vector_function(CONFIG, MAX_TEXT)
DROP_FUNCTIONS = (
    "DROP FUNCTION product_vector, search_hyphenated, search_joined, search_skeletons,"
    " search_skeleton, search_other, search_spelt_out, search_plain, search_written"
)


# --- Queries ----------------------------------------------------------------------

# Of lexemes with the weights D, C, B, A.
WEIGHTS = "{0.2, 0.6, 0.4, 1.0}"
JOINED = 3  # words that may be written as one
JOINED_AMONG = 6  # words at the beginning of a query


class Sql(NamedTuple):
    """A part of a tsquery, with what is to be filled in."""

    text: str
    values: tuple[str, ...] = ()

    @classmethod
    def of(cls, parts: Iterable["Sql"], operator: str) -> "Sql":
        parts = list(parts)
        text = operator.join(part.text for part in parts)
        values = tuple(value for part in parts for value in part.values)
        return cls(f"({text})" if len(parts) > 1 else text, values)


def _any(parts: Iterable[Sql]) -> Sql:
    return Sql.of(parts, " || ")


def _all(parts: Iterable[Sql]) -> Sql:
    return Sql.of(parts, " && ")


def _stem(word: str) -> Sql:
    """The word in any form, anywhere."""
    return Sql(f"plainto_tsquery('{CONFIG}', %s)", (word,))


def _beginning(word: str) -> Sql:
    """What begins so in a name, in one of its spellings, or in a sku."""
    return Sql("to_tsquery('simple', %s)", (f"'{word}':*AC",))


def _exactly(word: str) -> Sql:
    """The word as it is, in a name or a sku."""
    return Sql("to_tsquery('simple', %s)", (f"'{word}':A",))


def _spellings(word: str) -> Sql:
    return _any(
        part for form in forms(word) for part in (_stem(form), _beginning(form))
    )


def _loose(word: str) -> list[Sql]:
    """What shares the word's skeleton, where that is another word."""
    bare = skeleton(word)
    return [] if bare in forms(word) else [_stem(bare)]


def _unless_everywhere(word: str, wanted: Sql) -> Sql:
    """A word that stands in every text ("the") asks for nothing beside others."""
    nodes = f"numnode(plainto_tsquery('{CONFIG}', %s))"
    text = f"CASE WHEN {nodes} = 0 THEN ''::tsquery ELSE {wanted.text} END"
    return Sql(f"({text})", (word, *wanted.values))


def _if_any(wanted: Sql, otherwise: Sql) -> Sql:
    """`wanted` unless it has only words that stand everywhere."""
    text = f"CASE WHEN numnode({wanted.text}) = 0 THEN {otherwise.text}"
    values = (*wanted.values, *otherwise.values, *wanted.values)
    return Sql(f"{text} ELSE {wanted.text} END", values)


class TextQuery:
    """What somebody looks for: products with every word of `text`.

    The words are data: no operator means anything here, so no text is an error.
    """

    def __init__(self, text: str) -> None:
        self.words = list(dict.fromkeys(written(text).split()))[:MAX_WORDS]
        self.joined = dict(_neighbours(self.words[:JOINED_AMONG]))

    def __bool__(self) -> bool:
        return bool(self.words)

    def found(self) -> RawSQL:
        """The tsquery for all that answers, in whatever spelling, as one word or as
        two."""
        each = _all(
            _unless_everywhere(word, _any(self._ways(place, word)))
            for place, word in enumerate(self.words)
        )
        alone = _all(_any([_beginning(word), *_loose(word)]) for word in self.words)
        return _raw(_if_any(each, alone))

    def _ways(self, place: int, word: str) -> list[Sql]:
        together = [
            part
            for places, joined in self.joined.items()
            if place in places
            for part in (_spellings(joined), *_loose(joined))
        ]
        return [_spellings(word), *_loose(word), *together]

    def close(self) -> RawSQL:
        """The tsquery for what is spelt so: what else is found ranks after it."""
        each = _all(_unless_everywhere(word, _spellings(word)) for word in self.words)
        return _raw(_if_any(each, _all(_beginning(word) for word in self.words)))

    def exact(self) -> RawSQL:
        """The tsquery for any of the words as it is, or for neighbours as one word.

        It ranks apart from `close`, as a rank counts a word and a beginning that are
        alike once.
        """
        together = [_spellings(word) for word in self.joined.values()]
        return _raw(_any([*map(_exactly, self.words), *together]))


def _neighbours(found: list[str]) -> Iterator[tuple[range, str]]:
    """Words that stand beside each other, as one, with their places."""
    for size in range(2, JOINED + 1):
        for start in range(len(found) - size + 1):
            places = range(start, start + size)
            if together := joined(*(found[place] for place in places)):
                yield places, together


def _raw(sql: Sql) -> RawSQL:
    return RawSQL(sql.text, list(sql.values))


def matches(query: TextQuery) -> Func:
    """The condition that a product's text answers `query`."""
    return Func(
        F("search"),
        query.found(),
        template="%(expressions)s",
        arg_joiner=" @@ ",
        output_field=BooleanField(),
    )


def rank(query: TextQuery) -> CombinedExpression:
    """How well it does."""
    return _rank(query.close()) + _rank(query.exact())


def _rank(query: RawSQL) -> Func:
    return Func(
        F("search"),
        query,
        template=f"ts_rank('{WEIGHTS}', %(expressions)s)",
        output_field=FloatField(),
    )


def contains(name: str, text: str) -> Q:
    """The condition that the field `name` contains `text` in any spelling, as one word
    or as several."""
    text = written(text).replace(" ", "")
    skeletons = skeleton(text)
    stored = Func(F(name), template="search_plain(search_written(%(expressions)s))")
    wanted = Q()
    for form in forms(text):
        wanted |= Q(_includes(stored, form))
    if len(skeletons) >= SHORTEST:
        bare = Func(stored, function="search_skeleton")
        wanted |= Q(_includes(bare, skeletons))
    return wanted


def _includes(stored: Func, text: str) -> Func:
    return Func(
        stored,
        Value(text),
        template="strpos(replace(%(expressions)s) > 0",
        arg_joiner=", ' ', ''), ",
        output_field=BooleanField(),
    )


# --- Typos ------------------------------------------------------------------------


def trigrams(word: str) -> list[str]:
    """Each three letters in a row, the word's ends among them."""
    padded = f"  {word} "
    return sorted({padded[i : i + 3] for i in range(len(padded) - 2)})


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

    def parts(self, word: str) -> str | None:
        """The two words of the catalogue that make up `word`; None if none do.

        Of several, those whose rarer one most products have.
        """
        if not _may_be_misspelt(word):
            return None
        cuts = [
            (word[:at], word[at:]) for at in range(SHORTEST, len(word) - SHORTEST + 1)
        ]
        wanted = self.filter(text__in={part for cut in cuts for part in cut})
        number = dict(wanted.values_list("text", "products")) if cuts else {}
        known = [cut for cut in cuts if number.keys() >= set(cut)]
        best = max(known, key=lambda cut: min(map(number.get, cut)), default=None)
        return " ".join(best) if best else None

    def nearest(self, word: str) -> str | None:
        """The word that was meant by `word`, which nothing has; None if nobody knows.

        Of words equally near, the one that most products have.
        """
        if not _may_be_misspelt(word):
            return None
        near = []
        for text, number in self._like(word):
            far = OSA.distance(word, text)
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
        text = written(" ".join(texts))
        found = {*plain(text).split(), *spelt_out(text).split()}
        counted.update(word for word in found if _may_be_misspelt(word))
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
