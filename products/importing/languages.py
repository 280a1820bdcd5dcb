"""How likely a word is in a language, as far as its letters tell.

The figures are learnt from what Django itself says in each language: some 30 KB of text
that is there wherever the shop is.
"""

import gettext
import re
from collections import Counter
from functools import cache
from math import log
from pathlib import Path

import django

# Letters beyond a to z that each language has, in lower case. Loanwords are words of
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
OTHERS = {
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
DJANGO_SAYS = {"pt": "pt_BR"}
HOMES = [
    "conf",
    *("contrib/admin", "contrib/admindocs", "contrib/auth", "contrib/contenttypes"),
    *("contrib/flatpages", "contrib/gis", "contrib/humanize", "contrib/postgres"),
    *("contrib/redirects", "contrib/sessions", "contrib/sites"),
]
# Letters, with the points and tones that some scripts put on them.
POINTS = "\u0591-\u05c7\u064b-\u0652\u0e31-\u0e4e"
WORD = re.compile(rf"[^\W\d_]+(?:[{POINTS}]+[^\W\d_]*)*")
LEAST = 1e-6  # that a pair of letters comes
SEEN_BEFORE = 3  # pairs, that a letter on its own counts as
USUAL_CHARACTERS = 2500  # of a language of East Asia


def is_latin(language: str) -> bool:
    return language in LATIN


@cache
def spoken(language: str) -> str:
    """What Django says in a language, in lower case."""
    name = DJANGO_SAYS.get(language, language)
    root, texts = Path(django.__file__).parent, []
    for home in HOMES:
        path = root / home / "locale" / name / "LC_MESSAGES/django.mo"
        if path.is_file():
            with path.open("rb") as file:
                catalogue = gettext.GNUTranslations(file)._catalog
            texts += map(str, catalogue.values())
    return "\n".join(texts).lower()


class Language:
    """The letters of a language, and how often one follows another."""

    def __init__(self, code: str) -> None:
        is_turkish = code == "tr"
        own = (LATIN | OTHERS)[code]
        self._letters = frozenset(own + (A_TO_Z if is_latin(code) else ""))
        if is_turkish:  # a word with "ü" and "w" is another language's
            self._letters -= frozenset("qwx")
        self._is_turkish = is_turkish
        self._pairs: Counter[tuple[str, str]] = Counter()
        self._singles: Counter[str] = Counter()
        for word in WORD.findall(spoken(code)):
            if self._letters.issuperset(word):
                word = f" {word} "
                self._singles.update(word[:-1])
                self._pairs.update(zip(word, word[1:], strict=False))
        self._total = self._singles.total() or 1
        beyond = sum(n for c, n in self._singles.items() if not c.isascii())
        self._rarity = -log(max(beyond / self._total, 0.002))
        self._known: dict[tuple[str, str], float] = {}

    def word(self, word: str) -> float | None:
        """The logarithm of how likely the letters beyond ASCII are where they are; None
        for a word with letters that the language has not."""
        chance = self._rarity * sum(not c.isascii() for c in word)
        found = [self._letter_by_letter(form) for form in self._small(word)]
        chances = [each for each in found if each is not None]
        return chance + max(chances) if chances else None

    def _small(self, word: str) -> set[str]:
        """The word in small letters. A Turkish "I" is an "ı", though many write it for
        "İ"."""
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
        if pair not in self._known:
            one, other = pair
            alone = (self._singles[other] + 0.5) / (self._total + len(self._letters))
            found = self._pairs[pair] + SEEN_BEFORE * alone
            chance = found / (self._singles[one] + SEEN_BEFORE)
            self._known[pair] = log(max(chance, LEAST))
        return self._known[pair]


@cache
def language(code: str) -> Language:
    return Language(code)


@cache
def characters(code: str) -> tuple[Counter[str], int]:
    """How often each character beyond ASCII comes, for languages of East Asia; and how
    many there are."""
    counts = Counter(c for c in spoken(code) if not c.isascii())
    return counts, counts.total() + USUAL_CHARACTERS
