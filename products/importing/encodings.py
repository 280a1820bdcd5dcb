"""Detects the encoding of text without a mark from its letters.

We decode the lines in each encoding that shops use. A reading is likely if its words
are words of one language. We accept one only if it is far more likely than all others
and charset-normalizer finds it clean too. A wrong guess would write wrong names into
the shop; without a guess a person chooses.
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

# Logarithms of likelihoods: -3 is about one in 20, -20 one in 500 million.
USUAL, SELDOM, RARE = 0.0, -2.0, -3.0
FOREIGN = -4.0  # a word of another language than the others
UNKNOWN = -6.0  # a letter in a word of none of the encoding's languages
SIGN = -5.0
MISPLACED = -11.0  # a sign in the wrong place: "™5"
STRANGE = -14.0  # a sign that shops don't use, or one inside a word
SURE = 20.0  # by so much the best reading must be more likely than any other
SURE_OF_ONE_LETTER = 26.0  # the same, if two readings differ in one letter only
SOME_WORDS = 3  # if there are no more, unknown ones don't rule out a reading
SURE_SHARE = 0.3  # for East Asia: the margin as a share of the likelihood

# The languages of each encoding, and how common it is.
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
# The language, the basic form of the encoding, and the range of first bytes of its most
# common characters.
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
# German quotations end with the sign that begins them in English.
OPENED_BY = {"“": "„", "‘": "‚"}
NOT_AFTER_LETTERS = frozenset("„‚“‘«‹¿¡£€©×÷±")
NOT_BEFORE_LETTERS = frozenset("…™®°»›”²³÷±×€£")
IN_WORDS = frozenset("’\u00a0" + INVISIBLE)
# Vietnamese accents, which are signs of their own in its code page.
TONES = frozenset("\u0300\u0301\u0303\u0309\u0323")
BEARING_TONES = frozenset("aăâeêioôơuưy")
BEYOND = re.compile(r"[^\x00-\x7f]")
RUN = re.compile(r"[^\x00-\x7f]+")
# An apostrophe has a short side: "L’eau", "d’une", "men’s".
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
    """A sample decoded in an encoding. It is clean if nothing in it is strange."""

    encoding: str
    text: str
    likelihood: float
    is_clean: bool


def readings(sample: bytes) -> list[Reading]:
    """Return the possible readings of lines with letters beyond ASCII, best first.

    Of encodings with the same text, it has the one whose languages fit best.
    """
    by_text: dict[str, Reading] = {}
    for encoding in [*NARROW, *WIDE]:
        try:
            text = unicodedata.normalize("NFC", sample.decode(encoding))
        except UnicodeDecodeError:
            continue
        judge = _judge_wide if encoding in WIDE else _judge_narrow
        verdict = judge(encoding, text)
        if verdict is None:
            continue
        known = by_text.get(text)
        if known is None or verdict > (known.likelihood, known.is_clean):
            by_text[text] = Reading(encoding, text, *verdict)
    return sorted(by_text.values(), key=lambda reading: -reading.likelihood)


def certain(readings: list[Reading], sample: bytes) -> str | None:
    """Return the encoding of the first of `readings(sample)`, if it is certain."""
    if not sample or not readings or not readings[0].is_clean:
        return None
    best, *others = readings
    for other in others:
        if best.likelihood - other.likelihood <= _margin(best, other):
            return None
    # charset-normalizer must find the text clean in this encoding.
    second = from_bytes(sample, cp_isolation=[best.encoding], enable_fallback=False)
    return best.encoding if second.best() is not None else None


def _margin(best: Reading, other: Reading) -> float:
    """Return by how much the best reading must be more likely than another one.

    If they differ in a single letter, many words with it prove little more than one, so
    the margin is larger. In East Asia all characters are rare. There, random
    differences grow with the number of characters, and so does the margin.
    """
    if best.encoding in WIDE:
        return max(SURE, SURE_SHARE * -best.likelihood)
    # Lower each letter by itself, because "İ" becomes two characters.
    pairs = set(
        zip(map(str.lower, best.text), map(str.lower, other.text), strict=False)
    )
    differing = sum(a != b for a, b in pairs)
    is_one_letter = len(best.text) == len(other.text) and differing < 2
    return SURE_OF_ONE_LETTER if is_one_letter and other.is_clean else SURE


# --- Alphabets --------------------------------------------------------------------


def _judge_narrow(encoding: str, text: str) -> tuple[float, bool] | None:
    """Return how likely a text is, and whether it is clean; None if impossible."""
    codes, likelihood = NARROW[encoding]
    words = [word for word in set(WORD.findall(text)) if not word.isascii()]
    if not words and not languages.is_latin(codes[0]):
        return None
    signs = _judge_signs(text)
    if signs is None:
        return None
    chance_of_signs, strange = signs
    if strange > max(1, len(words) // 5):
        return None
    chance_of_words, unknown = _judge_words(words, codes)
    if unknown * 3 > len(words) > SOME_WORDS:
        return None
    is_clean = not strange and unknown * 10 <= len(words)
    return likelihood + chance_of_signs + chance_of_words, is_clean


def _judge_words(words: Collection[str], codes: tuple[str, ...]) -> tuple[float, int]:
    """Return how likely the words are in the best of these languages.

    Return also how many are words of none of them.
    """
    if not words:
        return 0.0, 0
    unknown, totals = 0, [0.0] * len(codes)
    for word in words:
        chances: list[float | None] = [None] * len(codes)
        if not _has_strange_case(word):
            chances = [languages.language(code).word(word) for code in codes]
        known = [chance for chance in chances if chance is not None]
        unknown += not known
        letters = sum(not c.isascii() for c in word)
        foreign = max(known, default=UNKNOWN * (letters + 1)) + FOREIGN
        for n, chance in enumerate(chances):
            totals[n] += foreign if chance is None else max(chance, foreign)
    return max(totals), unknown


def _has_strange_case(word: str) -> bool:
    """Return whether case changes inside a word: "aB", or "ABc"."""
    if word.islower() or word.isupper() or word[1:].islower():
        return False
    letters = word.replace("ß", "")
    for n in range(1, len(letters)):
        left, right = letters[n - 1], letters[n]
        if left.isascii() and right.isascii():
            continue
        if left.islower() and right.isupper():
            return True
        if n > 1 and right.islower() and left.isupper() and letters[n - 2].isupper():
            return True
    return False


def _judge_signs(text: str) -> tuple[float, int] | None:
    """Return how likely the signs are in their places, and how many are strange.

    Return None if there is a control, or an accent without a letter.
    """
    total, strange = 0.0, 0
    seen: set[tuple[str, str, str]] = set()
    for match in BEYOND.finditer(text):
        sign, at = match[0], match.start()
        if sign.isalpha() and sign not in "ªº":
            continue
        before, after = text[at - 1 : at], text[at + 1 : at + 2]
        if sign in TONES and before.lower() not in BEARING_TONES:
            return None
        if unicodedata.category(sign) == "Mn":
            if not _bears_accent(before):
                return None
            continue
        if not sign.isprintable() and sign not in IN_WORDS:
            return None
        if (before, sign, after) in seen:
            continue
        seen.add((before, sign, after))
        cost = _cost(sign, before, after, text[:at][-4:], text[at + 1 : at + 5])
        total += cost
        is_closing = sign in OPENED_BY and OPENED_BY[sign] in text
        strange += cost == STRANGE or (cost == MISPLACED and not is_closing)
    return total, strange


def _bears_accent(character: str) -> bool:
    """Return whether an accent may follow a character ("" at the beginning)."""
    if not character:
        return False
    if character.isalpha() or unicodedata.combining(character):
        return True
    return unicodedata.category(character) in ("Mn", "Cf")


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


def _judge_wide(encoding: str, text: str) -> tuple[float, bool] | None:
    """As `_judge_narrow`, for characters that are words or syllables."""
    runs = RUN.findall(text)
    if len(TOUCHING.findall(text)) * 2 > len(runs):
        return None  # parts of Latin words
    code, basic, first, last = WIDE[encoding]
    counts, total = languages.characters(code)
    likelihood, rare, letters = 0.0, 0, 0
    for character in "".join(set(runs)):
        if EASTERN_SIGNS.fullmatch(character):
            likelihood += FOREIGN
            continue
        if not _scripts(code).fullmatch(character):
            return None
        letters += 1
        is_kana = KANA.fullmatch(character) is not None
        rare += not (is_kana or _is_common(character, basic, first, last))
        likelihood += log((counts[character] + 0.5) / total)
    if not letters or rare > letters * 0.2:
        return None
    return likelihood, True


def _scripts(code: str) -> re.Pattern[str]:
    if code == "ko":
        return HANGUL
    return re.compile(f"{KANA.pattern}|{HAN.pattern}") if code == "ja" else HAN


def _is_common(character: str, basic: str, first: int, last: int) -> bool:
    """Return whether a character's first byte in an encoding is in a range."""
    try:
        return first <= character.encode(basic)[0] <= last
    except UnicodeEncodeError:
        return False
