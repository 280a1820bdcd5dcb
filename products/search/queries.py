"""Conditions and ranks for the text that a visitor searches for.

Different spellings of a word match each other, by the rules in `folding`: größe, grosse
and groesse; tea pot, tea-pot and teapot. These rules are functions in the database. We
need no PostgreSQL extension, because the PostgreSQL that comes with `make run` has
neither pg_trgm nor unaccent.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from django.db.models import BooleanField, F, FloatField, Func, Q, Value
from django.db.models.expressions import CombinedExpression, RawSQL

from products.search.folding import forms, joined, plain, skeleton, written
from products.search.vectors import CONFIG

MAX_WORDS = 12  # of a query; we ignore the rest
SHORTEST_SKELETON = 3  # letters; a shorter one is in too many names
WEIGHTS = "{0.2, 0.6, 0.4, 1.0}"  # of lexemes with the weights D, C, B and A
JOINED = 3  # at most so many neighbours may be one word
JOINED_AMONG = 6  # only the first words of a query are joined


def words(text: str) -> list[str]:
    """Return the different words of `text` in order, in lower case, without accents."""
    return list(dict.fromkeys(plain(written(text)).split()))


# --- Parts of a tsquery -----------------------------------------------------------


class Sql(NamedTuple):
    """A part of a tsquery: SQL with placeholders, and the values for them."""

    text: str
    values: tuple[str, ...] = ()

    @classmethod
    def combine(cls, parts: Iterable["Sql"], operator: str) -> "Sql":
        parts = list(parts)
        text = operator.join(part.text for part in parts)
        values = tuple(value for part in parts for value in part.values)
        return cls(f"({text})" if len(parts) > 1 else text, values)


def _any(parts: Iterable[Sql]) -> Sql:
    return Sql.combine(parts, " || ")


def _all(parts: Iterable[Sql]) -> Sql:
    return Sql.combine(parts, " && ")


def _stem(word: str) -> Sql:
    """Match any grammatical form of the word, anywhere."""
    return Sql(f"plainto_tsquery('{CONFIG}', %s)", (word,))


def _prefix(word: str) -> Sql:
    """Match words of names and SKUs that begin with `word`."""
    return Sql("to_tsquery('simple', %s)", (f"'{word}':*AC",))


def _exactly(word: str) -> Sql:
    """Match the word as it is, in a name or a SKU."""
    return Sql("to_tsquery('simple', %s)", (f"'{word}':A",))


def _spellings(word: str) -> Sql:
    """Match each spelling of the word, as a stem or as a prefix."""
    parts = []
    for form in forms(word):
        parts += [_stem(form), _prefix(form)]
    return _any(parts)


def _skeleton(word: str) -> list[Sql]:
    """Match the word's skeleton; empty if the skeleton is one of its spellings."""
    bare = skeleton(word)
    return [] if bare in forms(word) else [_stem(bare)]


def _unless_stop_word(word: str, condition: Sql) -> Sql:
    """Ignore the condition for a stop word ("the"), which vectors don't contain."""
    nodes = f"numnode(plainto_tsquery('{CONFIG}', %s))"
    text = f"CASE WHEN {nodes} = 0 THEN ''::tsquery ELSE {condition.text} END"
    return Sql(f"({text})", (word, *condition.values))


def _if_empty(query: Sql, otherwise: Sql) -> Sql:
    """Use `query`, or `otherwise` if `query` had nothing but stop words."""
    text = f"CASE WHEN numnode({query.text}) = 0 THEN {otherwise.text}"
    values = (*query.values, *otherwise.values, *query.values)
    return Sql(f"{text} ELSE {query.text} END", values)


# --- Queries ----------------------------------------------------------------------


class TextQuery:
    """A search for products that have every word of `text`.

    Words are data, not operators, so no text is a syntax error.
    """

    def __init__(self, text: str) -> None:
        self.words = list(dict.fromkeys(written(text).split()))[:MAX_WORDS]
        self.joined = dict(_joined_neighbours(self.words[:JOINED_AMONG]))

    def __bool__(self) -> bool:
        return bool(self.words)

    def any_spelling(self) -> RawSQL:
        """Return the tsquery for every match: any spelling, words joined or apart."""
        each = _all(
            _unless_stop_word(word, _any(self._alternatives(position, word)))
            for position, word in enumerate(self.words)
        )
        prefixes = _all(_any([_prefix(word), *_skeleton(word)]) for word in self.words)
        return _raw(_if_empty(each, prefixes))

    def _alternatives(self, position: int, word: str) -> list[Sql]:
        """Return what may stand for a word: it, or it joined with its neighbours."""
        alternatives = [_spellings(word), *_skeleton(word)]
        for positions, joined_word in self.joined.items():
            if position in positions:
                alternatives += [_spellings(joined_word), *_skeleton(joined_word)]
        return alternatives

    def same_spelling(self) -> RawSQL:
        """Return the tsquery for matches without skeletons; these rank higher."""
        each = _all(_unless_stop_word(word, _spellings(word)) for word in self.words)
        return _raw(_if_empty(each, _all(_prefix(word) for word in self.words)))

    def exact_words(self) -> RawSQL:
        """Return the tsquery for any word as it is, or for neighbours as one word.

        It adds to the rank of `same_spelling`, which counts a word and an equal prefix
        only once.
        """
        together = [_spellings(word) for word in self.joined.values()]
        return _raw(_any([*map(_exactly, self.words), *together]))


def _joined_neighbours(words: list[str]) -> Iterator[tuple[range, str]]:
    """Yield the positions of words beside each other, and these words as one."""
    for size in range(2, JOINED + 1):
        for start in range(len(words) - size + 1):
            positions = range(start, start + size)
            together = joined(*(words[position] for position in positions))
            if together:
                yield positions, together


def _raw(sql: Sql) -> RawSQL:
    return RawSQL(sql.text, list(sql.values))


def matches(query: TextQuery) -> Func:
    """Return the condition that a product's text matches `query`."""
    return Func(
        F("search"),
        query.any_spelling(),
        template="%(expressions)s",
        arg_joiner=" @@ ",
        output_field=BooleanField(),
    )


def rank(query: TextQuery) -> CombinedExpression:
    """Return how well a product's text matches `query`; higher is better."""
    return _rank(query.same_spelling()) + _rank(query.exact_words())


def _rank(query: RawSQL) -> Func:
    return Func(
        F("search"),
        query,
        template=f"ts_rank('{WEIGHTS}', %(expressions)s)",
        output_field=FloatField(),
    )


def contains(field: str, text: str) -> Q:
    """Return the condition that the model field contains `text`.

    The spelling doesn't matter, nor whether words are joined or apart.
    """
    text = written(text).replace(" ", "")
    stored = Func(F(field), template="search_plain(search_written(%(expressions)s))")
    condition = Q()
    for form in forms(text):
        condition |= Q(_includes(stored, form))
    bare = skeleton(text)
    if len(bare) >= SHORTEST_SKELETON:
        condition |= Q(_includes(Func(stored, function="search_skeleton"), bare))
    return condition


def _includes(stored: Func, text: str) -> Func:
    return Func(
        stored,
        Value(text),
        template="strpos(replace(%(expressions)s) > 0",
        arg_joiner=", ' ', ''), ",
        output_field=BooleanField(),
    )
