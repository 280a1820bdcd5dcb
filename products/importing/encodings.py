"""Which encoding a file without a mark is in, as far as its letters prove it.

The file's lines are read in each encoding that shops have. A reading is likely where it
makes words of one language. Only one that is far more likely than all others is taken,
and only if charset-normalizer finds no mess in it either: a wrong guess would write
wrong names into the shop, and a person can choose.
"""

import re
import unicodedata
from collections.abc import Collection
from math import log
from typing import NamedTuple

from charset_normalizer import from_bytes

from products.importing import languages
from products.importing.languages import WORD

WEST = ("de", "fr", "es", "pt", "it", "nl", "sv", "da", "fi", "is", "ca")
CENTRE = ("pl", "cs", "sk", "hu", "ro", "hr", "de", "fr")
TURKISH = ("tr", *WEST)
BALTIC = ("lt", "lv", "et", "pl", "de")
RUSSIAN = ("ru", "uk", "be", "bg")
SLAVIC = (*RUSSIAN, "sr", "mk")

# Logarithms of likelihoods: 3 is about one in twenty, 20 one in 500 million.
USUAL, SELDOM, RARE = 0.0, -2.0, -3.0
FOREIGN = -4.0  # a word of another language than the rest
UNKNOWN = -6.0  # a letter in a word of no language of the encoding
SIGN = -5.0
MISPLACED = -11.0  # a sign where it is not written: "™5"
STRANGE = -14.0  # a sign that shops do not use, or in the middle of a word
SURE = 20.0
SURE_OF_ONE_LETTER = 26.0  # the readings differ in one letter, however often it comes
SOME_WORDS = 3  # of so few, one odd one does not say that a reading is none
SURE_SHARE = 0.3  # of the likelihood itself, for an encoding of East Asia

# What each encoding is used for, and how often.
NARROW = {
    "cp1252": (WEST, USUAL),
    "cp1250": (CENTRE, USUAL),
    "cp1251": (SLAVIC, USUAL),
    "cp1253": (("el",), USUAL),
    "cp1254": (TURKISH, USUAL),
    "cp1257": (BALTIC, USUAL),
    "cp1255": (("he",), USUAL),
    "cp1256": (("ar", "fa"), USUAL),
    "cp1258": (("vi",), USUAL),
    "cp874": (("th",), USUAL),
    "iso8859-15": (WEST, SELDOM),
    "mac-roman": (WEST, SELDOM),
    "iso8859-2": (CENTRE, SELDOM),
    "koi8-r": (RUSSIAN, SELDOM),
    "koi8-u": (RUSSIAN, SELDOM),
    "mac-cyrillic": (RUSSIAN, SELDOM),
    "iso8859-5": (SLAVIC, SELDOM),
    "iso8859-7": (("el",), SELDOM),
    "iso8859-9": (TURKISH, SELDOM),
    "cp850": (WEST, RARE),
    "mac-latin2": (CENTRE, RARE),
    "cp852": (CENTRE, RARE),
    "cp866": (RUSSIAN, RARE),
    "mac-greek": (("el",), RARE),
    "cp737": (("el",), RARE),
    "mac-turkish": (TURKISH, RARE),
    "cp857": (TURKISH, RARE),
    "iso8859-13": (BALTIC, RARE),
    "iso8859-3": (("eo",), RARE),
}
# The language, and the plain form of the encoding with the first bytes of its most used
# characters.
WIDE = {
    "gb18030": ("zh_Hans", "gb2312", 0xB0, 0xD7),
    "cp932": ("ja", "shift_jis", 0x88, 0x97),
    "big5": ("zh_Hant", "big5", 0xA4, 0xC6),
    "cp949": ("ko", "euc_kr", 0xB0, 0xC8),
    "euc-jp": ("ja", "euc_jp", 0xB0, 0xCF),
}
UNICODE = ["utf-8", "utf-16", "utf-16-le", "utf-16-be", "utf-32"]
ENCODINGS = [*UNICODE, *NARROW, *WIDE]  # that a person may choose

INVISIBLE = "\u00ad\u200c\u200d\u200e\u200f"
SIGNS = frozenset("«»‹›„“”‚‘’–—…•·©®™°±²³¼½¾×÷€£¥§¿¡ªº\u00a0µ№′″´،؛؟" + INVISIBLE)
# Germans end a quotation with what begins one elsewhere.
OPENED_BY = {"“": "„", "‘": "‚"}
NOT_AFTER_LETTERS = frozenset("„‚“‘«‹¿¡£€©×÷±")
NOT_BEFORE_LETTERS = frozenset("…™®°»›”²³÷±×€£")
IN_WORDS = frozenset("’\u00a0" + INVISIBLE)
# What Vietnamese writes over or under a vowel, as signs of their own in its code page.
TONES = frozenset("\u0300\u0301\u0303\u0309\u0323")
BEARING_TONES = frozenset("aăâeêioôơuưy")
BEYOND = re.compile(r"[^\x00-\x7f]")
RUN = re.compile(r"[^\x00-\x7f]+")
# "L’eau", "d’une", "men’s": one side is short.
SHORT_BEFORE, SHORT_AFTER = re.compile(r"\b\w{0,2}$|d$"), re.compile(r"\w{1,2}\b")

KANA = re.compile("[\u3041-\u3096\u30a1-\u30fa]")
HAN = re.compile("[\u3400-\u9fff\uf900-\ufaff]")
HANGUL = re.compile("[\uac00-\ud7a3]")
EASTERN_SIGNS = re.compile(
    "[\u2010-\u203b\u2103\u2160-\u216b\u2190-\u2193\u2460-\u2473\u25a0-\u2606"
    "\u3000-\u301f\u30fb\u30fc\uff01-\uff5e\uffe5×÷°±·]"
)
TOUCHING = re.compile("(?<=[A-Za-z])[^\x00-\x7f]+|[^\x00-\x7f]+(?=[A-Za-z])")


class Reading(NamedTuple):
    """A sample in an encoding. `is_clean`: there is nothing in it that would be odd."""

    encoding: str
    text: str
    likelihood: float
    is_clean: bool


def readings(sample: bytes) -> list[Reading]:
    """What a sample of lines with letters beyond ASCII can be, the most likely first.
    Of those that read alike it is the one whose languages fit best."""
    found: dict[str, Reading] = {}
    for encoding in [*NARROW, *WIDE]:
        try:
            text = unicodedata.normalize("NFC", sample.decode(encoding))
        except UnicodeDecodeError:
            continue
        reading = _wide if encoding in WIDE else _narrow
        value = reading(encoding, text)
        if value is None:
            continue
        known = found.get(text)
        if known is None or value > (known.likelihood, known.is_clean):
            found[text] = Reading(encoding, text, *value)
    return sorted(found.values(), key=lambda reading: -reading.likelihood)


def certain(found: list[Reading], sample: bytes) -> str | None:
    """The encoding of the first of `readings(sample)`, if that cannot be any other."""
    if not sample or not found or not found[0].is_clean:
        return None
    best, *others = found
    if any(best.likelihood - each.likelihood <= _margin(best, each) for each in others):
        return None
    # What is no mess to its measure, in this encoding.
    second = from_bytes(sample, cp_isolation=[best.encoding], enable_fallback=False)
    return best.encoding if second.best() is not None else None


def _margin(one: Reading, other: Reading) -> float:
    """By how much a reading must be more likely than another one. The same letter in
    many words is not much more of a proof than in one. Characters of East Asia are all
    rare, so chance grows with their number, and the margin has to grow as well."""
    if one.encoding in WIDE:
        return max(SURE, SURE_SHARE * -one.likelihood)
    # Letter by letter: "İ" becomes two in lower case.
    pairs = set(zip(map(str.lower, one.text), map(str.lower, other.text), strict=False))
    differing = sum(a != b for a, b in pairs)
    is_one_letter = len(one.text) == len(other.text) and differing < 2
    return SURE_OF_ONE_LETTER if is_one_letter and other.is_clean else SURE


# --- Alphabets --------------------------------------------------------------------


def _narrow(encoding: str, text: str) -> tuple[float, bool] | None:
    """How likely the text is, and whether it is clean; None if it is not one."""
    codes, likelihood = NARROW[encoding]
    words = [word for word in set(WORD.findall(text)) if not word.isascii()]
    if not words and not languages.is_latin(codes[0]):
        return None
    signs = _signs(text)
    if signs is None:
        return None
    value, strange = signs
    if strange > max(1, len(words) // 5):
        return None
    chance, unknown = _words(words, codes)
    if unknown * 3 > len(words) > SOME_WORDS:
        return None
    is_clean = not strange and unknown * 10 <= len(words)
    return likelihood + value + chance, is_clean


def _words(words: Collection[str], codes: tuple[str, ...]) -> tuple[float, int]:
    """How likely the words are in one of these languages, and how many are in none."""
    if not words:
        return 0.0, 0
    unknown, totals = 0, [0.0] * len(codes)
    for word in words:
        strange = _has_strange_case(word)
        row = [None if strange else languages.language(c).word(word) for c in codes]
        known = [chance for chance in row if chance is not None]
        unknown += not known
        letters = sum(not c.isascii() for c in word)
        best = max(known, default=UNKNOWN * (letters + 1))
        for n, chance in enumerate(row):
            foreign = best + FOREIGN
            totals[n] += foreign if chance is None else max(chance, foreign)
    return max(totals), unknown


def _has_strange_case(word: str) -> bool:
    """A capital after a small letter, or a small letter after two capitals."""
    if word.islower() or word.isupper() or word[1:].islower():
        return False
    letters = word.replace("ß", "")
    for n in range(1, len(letters)):
        one, other = letters[n - 1], letters[n]
        if one.isascii() and other.isascii():
            continue
        if one.islower() and other.isupper():
            return True
        if n > 1 and other.islower() and one.isupper() and letters[n - 2].isupper():
            return True
    return False


def _signs(text: str) -> tuple[float, int] | None:
    """How likely what is no letter is where it is, and how many of it are strange; None
    for controls, and for points without a letter."""
    value, strange = 0.0, 0
    seen: set[tuple[str, str, str]] = set()
    for found in BEYOND.finditer(text):
        sign, at = found[0], found.start()
        if sign.isalpha() and sign not in "ªº":
            continue
        before, after = text[at - 1 : at], text[at + 1 : at + 2]
        if sign in TONES and before.lower() not in BEARING_TONES:
            return None
        if unicodedata.category(sign) == "Mn":
            if not before or not (before.isalpha() or unicodedata.combining(before)):
                if unicodedata.category(before or " ") not in ("Mn", "Cf"):
                    return None
            continue
        if not sign.isprintable() and sign not in IN_WORDS:
            return None
        if (before, sign, after) in seen:
            continue
        seen.add((before, sign, after))
        cost = _cost(sign, before, after, text[:at][-4:], text[at + 1 : at + 5])
        value += cost
        is_closing = sign in OPENED_BY and OPENED_BY[sign] in text
        strange += cost == STRANGE or (cost == MISPLACED and not is_closing)
    return value, strange


def _cost(sign: str, before: str, after: str, head: str, tail: str) -> float:
    if sign not in SIGNS:
        return STRANGE
    if sign == "\u00a0" and before.isspace():
        return STRANGE
    if before.isalpha() and after.isalpha():
        if sign == "’" and not (SHORT_BEFORE.search(head) or SHORT_AFTER.match(tail)):
            return STRANGE
        is_catalan = before == after == "l" and sign == "·"
        return SIGN if sign in IN_WORDS or is_catalan else STRANGE
    if before.isalpha() and sign in NOT_AFTER_LETTERS:
        return MISPLACED
    if after.isalpha() and sign in NOT_BEFORE_LETTERS:
        return MISPLACED
    return SIGN


# --- East Asia --------------------------------------------------------------------


def _wide(encoding: str, text: str) -> tuple[float, bool] | None:
    """The same, for characters of which each is a word or a syllable."""
    runs = RUN.findall(text)
    if len(TOUCHING.findall(text)) * 2 > len(runs):
        return None  # pieces of Latin words
    code, plain, first, last = WIDE[encoding]
    counts, total = languages.characters(code)
    value, odd, letters = 0.0, 0, 0
    for character in "".join(set(runs)):
        if EASTERN_SIGNS.fullmatch(character):
            value += FOREIGN
            continue
        if not _scripts(code).fullmatch(character):
            return None
        letters += 1
        odd += not (
            KANA.fullmatch(character) or _is_usual(character, plain, first, last)
        )
        value += log((counts[character] + 0.5) / total)
    if not letters or odd > letters * 0.2:
        return None
    return value, True


def _scripts(code: str) -> re.Pattern[str]:
    if code == "ko":
        return HANGUL
    return re.compile(f"{KANA.pattern}|{HAN.pattern}") if code == "ja" else HAN


def _is_usual(character: str, plain: str, first: int, last: int) -> bool:
    try:
        return first <= character.encode(plain)[0] <= last
    except UnicodeEncodeError:
        return False
