"""Estimates from its letters how likely a word is in a language.

The frequencies come from Django's own translations: about 30 KB of text in each
language, which every installation has.
"""

import gettext
import re
from collections import Counter
from functools import cache
from math import log
from pathlib import Path

import django

# The letters of each language beyond a to z, in lower case. Loanwords count as words of
# another language.
LATIN = {
    "de": "äöüß",
    "fr": "àâæçéèêëîïôœùûüÿ",
    "es": "áéíñóúü",
    "pt": "áâãàçéêíóôõúü",
    "it": "àèéìíòóùú",
    "nl": "áéèëïóöü",
    "sv": "åäöé",
    "da": "æøåé",
    "fi": "äöåšž",
    "is": "áðéíóúýþæö",
    "ca": "àçèéíïòóúü",
    "pl": "ąćęłńóśźż",
    "cs": "áčďéěíňóřšťúůýž",
    "sk": "áäčďéíĺľňóôŕšťúýž",
    "hu": "áéíóöőúüű",
    "ro": "ăâîşţșț",
    "hr": "čćđšž",
    "tr": "çğıöşüâîû",
    "lt": "ąčęėįšųūž",
    "lv": "āčēģīķļņšūž",
    "et": "äõöüšž",
    "eo": "ĉĝĥĵŝŭ",
    "vi": ("áàảãạăắằẳẵặâấầẩẫậéèẻẽẹêếềểễệíìỉĩịóòỏõọôốồổỗộơớờởỡợúùủũụưứừửữựýỳỷỹỵđ"),
}
NOT_LATIN = {
    "ru": "абвгдежзийклмнопрстуфхцчшщъыьэюяё",
    "uk": "абвгґдеєжзиіїйклмнопрстуфхцчшщьюя",
    "be": "абвгдежзійклмнопрстуўфхцчшыьэюяё",
    "bg": "абвгдежзийклмнопрстуфхцчшщъьюя",
    "sr": "абвгдђежзијклљмнњопрстћуфхцчџш",
    "mk": "абвгдѓежзѕијклљмнњопрстќуфхцчџш",
    "el": "αβγδεζηθικλμνξοπρστυφχψωςάέήίόύώϊϋΐΰ",
    "he": "אבגדהוזחטיךכלםמןנסעףפץצקרשת",
    "ar": "ءآأؤإئابةتثجحخدذرزسشصضطظعغفقكلمنهوىي",
    "fa": "ءآأؤئابپتثجچحخدذرزژسشصضطظعغفقکگلمنهوىيی",
    "th": "".join(map(chr, [*range(0xE01, 0xE3B), *range(0xE40, 0xE4F)])),
}
A_TO_Z = "abcdefghijklmnopqrstuvwxyz"
DJANGO_NAMES = {"pt": "pt_BR"}
APPS = [  # with translations
    "conf",
    *("contrib/admin", "contrib/admindocs", "contrib/auth", "contrib/contenttypes"),
    *("contrib/flatpages", "contrib/gis", "contrib/humanize", "contrib/postgres"),
    *("contrib/redirects", "contrib/sessions", "contrib/sites"),
]
# Vowel points and tones of some scripts.
POINTS = "\u0591-\u05c7\u064b-\u0652\u0e31-\u0e4e"
WORD = re.compile(rf"[^\W\d_]+(?:[{POINTS}]+[^\W\d_]*)*")
LEAST = 1e-6  # probability of a pair of letters that never occurred
PRIOR = 3  # the weight of a letter alone, as a number of pairs
COMMON_CHARACTERS = 2500  # of a language in East Asia


def is_latin(language: str) -> bool:
    """Return whether a language has the Latin alphabet."""
    return language in LATIN


@cache
def translations(language: str) -> str:
    """Return the text of Django's translations into a language, in lower case."""
    name = DJANGO_NAMES.get(language, language)
    root = Path(django.__file__).parent
    texts: list[str] = []
    for app in APPS:
        path = root / app / "locale" / name / "LC_MESSAGES/django.mo"
        if path.is_file():
            with path.open("rb") as file:
                # A private attribute: typeshed leaves it out.
                translated = gettext.GNUTranslations(file)
                catalogue = translated._catalog  # type: ignore[attr-defined]
            texts += map(str, catalogue.values())
    return "\n".join(texts).lower()


class Language:
    """The letters of a language, and how often one follows another."""

    def __init__(self, code: str) -> None:
        is_turkish = code == "tr"
        own = (LATIN | NOT_LATIN)[code]
        self._letters = frozenset(own + (A_TO_Z if is_latin(code) else ""))
        if is_turkish:  # a word with "ü" and "w" isn't Turkish
            self._letters -= frozenset("qwx")
        self._is_turkish = is_turkish
        self._pairs: Counter[tuple[str, str]] = Counter()
        self._singles: Counter[str] = Counter()
        for word in WORD.findall(translations(code)):
            if self._letters.issuperset(word):
                word = f" {word} "
                self._singles.update(word[:-1])
                self._pairs.update(zip(word, word[1:], strict=False))
        self._total = self._singles.total() or 1
        beyond = sum(n for c, n in self._singles.items() if not c.isascii())
        self._rarity = -log(max(beyond / self._total, 0.002))
        self._known: dict[tuple[str, str], float] = {}

    def word(self, word: str) -> float | None:
        """Return how likely a word's letters beyond ASCII are, as a logarithm.

        Return None for a word with letters that the language doesn't have.
        """
        rarity = self._rarity * sum(not c.isascii() for c in word)
        chances = []
        for form in self._lower(word):
            chance = self._letter_by_letter(form)
            if chance is not None:
                chances.append(chance)
        return rarity + max(chances) if chances else None

    def _lower(self, word: str) -> set[str]:
        """Return the word in lower case.

        In Turkish, "I" is the capital of "ı", but many people write it for "İ" too.
        """
        if not self._is_turkish:
            return {word.lower()}
        word = word.replace("İ", "i")
        return {word.lower(), word.replace("I", "ı").lower()}

    def _letter_by_letter(self, word: str) -> float | None:
        if not self._letters.issuperset(word):
            return None
        chance, word = 0.0, f" {word} "
        for pair in zip(word, word[1:], strict=False):
            if not (pair[0].isascii() and pair[1].isascii()):
                chance += self._pair(pair)
        return chance

    def _pair(self, pair: tuple[str, str]) -> float:
        """Return the logarithm of how likely the second letter follows the first."""
        if pair not in self._known:
            left, right = pair
            alone = (self._singles[right] + 0.5) / (self._total + len(self._letters))
            count = self._pairs[pair] + PRIOR * alone
            chance = count / (self._singles[left] + PRIOR)
            self._known[pair] = log(max(chance, LEAST))
        return self._known[pair]


@cache
def language(code: str) -> Language:
    return Language(code)


@cache
def characters(code: str) -> tuple[Counter[str], int]:
    """Return the counts of characters beyond ASCII in a language of East Asia.

    Return also their total, with a surplus for characters that don't occur.
    """
    counts = Counter(c for c in translations(code) if not c.isascii())
    return counts, counts.total() + COMMON_CHARACTERS
