"""The catalogue's words, from which typos in searches are corrected.

Words that share trigrams with a typo are candidates (an array with a GIN index). The
edit distance chooses among them: similarity alone misses short words.
"""

from collections import Counter
from collections.abc import Iterable

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import F, FloatField, Func
from django.db.models.expressions import RawSQL
from django.utils.translation import gettext_lazy as _
from rapidfuzz.distance import OSA

from products.search.folding import plain, spelt_out, written

SHORTEST, LONGEST = 3, 40  # letters of a word that may be a typo
CANDIDATES = 60
BATCH = 2000


def trigrams(word: str) -> list[str]:
    """Return the sorted trigrams of a word, with spaces for its two ends."""
    padded = f"  {word} "
    return sorted({padded[i : i + 3] for i in range(len(padded) - 2)})


def tolerance(word: str) -> int:
    """Return how many mistakes a word of this length may have."""
    if len(word) <= 5:
        return 1
    if len(word) <= 9:
        return 2
    return 3


class SearchWordQuerySet(models.QuerySet):
    """Ways to read and write the catalogue's words."""

    def learn(self, products: Iterable[tuple[str, str]]) -> int:
        """Add the words of products, given as (name, description); return how many.

        This deletes nothing. A word that no product uses any more does no harm, because
        a correction is shown only if it finds something. `relearn` deletes such words.
        """
        return self._save(_count_words(products), existing_stay=True)

    def relearn(self, products: Iterable[tuple[str, str]]) -> int:
        """Replace all words by the words of these products; return how many."""
        counts = _count_words(products)
        self.exclude(text__in=counts).delete()
        return self._save(counts, existing_stay=False)

    def _save(self, counts: Counter[str], *, existing_stay: bool) -> int:
        # Sorted, so that two workers lock rows in the same order: no deadlock.
        rows = [
            self.model(text=text, trigrams=trigrams(text), products=count)
            for text, count in sorted(counts.items())
        ]
        self.bulk_create(
            rows,
            BATCH,
            update_conflicts=True,
            unique_fields=["text"],
            update_fields=["text"] if existing_stay else ["products"],
        )
        return len(rows)

    def parts(self, word: str) -> str | None:
        """Return `word` split into two words of the catalogue; None if it can't be.

        Of several splits, choose the one whose rarer part is in the most products.
        """
        if not _may_be_misspelt(word):
            return None
        splits = [
            (word[:at], word[at:]) for at in range(SHORTEST, len(word) - SHORTEST + 1)
        ]
        if not splits:
            return None
        parts = {part for split in splits for part in split}
        rows = self.filter(text__in=parts).values_list("text", "products")
        counts = dict(rows)
        known = [(a, b) for a, b in splits if a in counts and b in counts]
        if not known:
            return None
        best = max(known, key=lambda split: min(counts[split[0]], counts[split[1]]))
        return " ".join(best)

    def nearest(self, word: str) -> str | None:
        """Return the word of the catalogue nearest to `word`; None if none is near.

        Of words equally near, choose the one that is in the most products.
        """
        if not _may_be_misspelt(word):
            return None
        near = []
        for text, count in self._similar(word):
            distance = OSA.distance(word, text)
            if distance <= tolerance(word):
                near.append((distance, -count, text))
        return min(near)[2] if near else None

    def _similar(self, word: str) -> list[tuple[str, int]]:
        """Return (word, products) for words with shared trigrams, most similar first.

        The similarity is the share of common trigrams among all trigrams of both words.
        """
        of_word = trigrams(word)
        shared = RawSQL(
            "cardinality(ARRAY(SELECT unnest(trigrams)"
            " INTERSECT SELECT unnest(%s::varchar[])))::float8",
            [of_word],
            output_field=FloatField(),
        )
        size = Func(F("trigrams"), function="cardinality", output_field=FloatField())
        candidates = (
            self.filter(trigrams__overlap=of_word)
            .annotate(shared=shared)
            .annotate(
                similarity=F("shared") / (size + float(len(of_word)) - F("shared"))
            )
            .order_by("-similarity", "-products", "text")
        )
        return list(candidates.values_list("text", "products")[:CANDIDATES])


def _count_words(products: Iterable[tuple[str, str]]) -> Counter[str]:
    """Return in how many products each word is that somebody may misspell."""
    counts: Counter[str] = Counter()
    for texts in products:
        text = written(" ".join(texts))
        words = {*plain(text).split(), *spelt_out(text).split()}
        counts.update(word for word in words if _may_be_misspelt(word))
    return counts


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
