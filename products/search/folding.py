"""Normal forms of words, so that different spellings match: ß and ss; ö, oe and o.

Each rule exists twice: in Python for the query, in SQL for the stored text. Both use
the same constants, and a test compares them.

- The *written* form has small letters, no punctuation and one space between words.
- The *plain* form has no accents: größe → grosse, smørrebrød → smorrebrod.
- The *spelt-out* form has ae, oe, ue and aa where a letter has them: größe → groesse.
- The *skeleton* is common to these spellings: größe, groesse and grosse → grosse. The
  words "does" and "dos" share one too, so skeletons match but don't count for the rank.
"""

import itertools
import re
import unicodedata

# Code points, not classes such as \w, which depend on the locale.
MARKS = "(?<![иИ])[\\u0300-\\u036F]"  # й is a letter, not an и with an accent
# Apostrophes and invisible characters, such as soft hyphens and joiners.
REMOVED = (
    "[\\u0027\\u0060\\u00B4\\u02BC\\u2018\\u2019\\uFF07"
    "\\u00AD\\u200B-\\u200F\\u2060\\uFEFF]"
)
GAPS = (
    "[\\u0001-\\u002F\\u003A-\\u0040\\u005B-\\u0060\\u007B-\\u00BF\\u00D7\\u00F7"
    "\\u2000-\\u206F\\u20A0-\\u20CF\\u2100-\\u2BFF\\u3000-\\u303F\\uFE00-\\uFE0F]+"
)
HYPHENS = "[\\u002D\\u2010-\\u2015]"
HYPHENATED = f"[^0-9[:space:]]{HYPHENS}[^0-9[:space:]]"
SPELT_OUT = {"ä": "ae", "ö": "oe", "ü": "ue", "ø": "oe", "å": "aa"}
LIGATURES = {"ß": "ss", "æ": "ae", "œ": "oe", "þ": "th"}
# Letters that Unicode does not decompose into a letter and an accent.
STROKED = "øđðħıłŧŋĸƀɓƈɗɖƒɠƙƚɲƞɵƥɾƭʈʋƴƶǥȡȴȥⱥȼɇɉɍɏς"
STROKED_AS = "oddhiltnkbbcddfgklnnoprttvyzgdlzacejryσ"


def written(text: str) -> str:
    """Return the written form: lower case, no punctuation, single spaces."""
    text = unicodedata.normalize("NFKC", re.sub(REMOVED, "", text.lower()))
    return re.sub(GAPS, " ", re.sub(MARKS, "", text)).strip()


def plain(text: str) -> str:
    """Return the plain form of a written text: without accents."""
    text = unicodedata.normalize("NFKD", text)
    text = unicodedata.normalize("NFC", re.sub(MARKS, "", text))
    return text.translate(_PLAIN)


def spelt_out(text: str) -> str:
    """Return a written text with two letters for ä, ö, ü, ø and å, without accents."""
    return plain(text.translate(_SPELT_OUT))


def forms(word: str) -> list[str]:
    """Return the spellings of a written word, the word itself first."""
    return list(dict.fromkeys([word, plain(word), spelt_out(word)]))


def skeleton(word: str) -> str:
    """Return the skeleton of a written word, which all its spellings share."""
    return re.sub("([ou])e+", "\\1", re.sub("a[ae]+", "a", plain(word)))


def joined(*words: str) -> str | None:
    """Return the words as one; None between two digits, as "1 5" is not 15."""
    for left, right in itertools.pairwise(words):
        if left[-1] in DIGITS and right[0] in DIGITS:
            return None
    return "".join(words)


DIGITS = "0123456789"
_PLAIN = str.maketrans(dict(zip(STROKED, STROKED_AS, strict=True)) | LIGATURES)
_SPELT_OUT = str.maketrans(SPELT_OUT)


# --- The same in SQL --------------------------------------------------------------


def _replacing(text: str, letters: dict[str, str]) -> str:
    """Return SQL that replaces letters in the SQL expression `text`, capitals too.

    In a database with the locale "C", `lower()` changes only ASCII letters.
    """
    for letter, replacement in letters.items():
        capital = "ẞ" if letter == "ß" else letter.upper()
        for form in (letter, capital):
            text = f"replace({text}, '{form}', '{replacement}')"
    return text


def _with_capitals(letters: str, replacements: str) -> tuple[str, str]:
    """Add the capitals that are single letters, and what replaces them."""
    pairs = dict(zip(letters, replacements, strict=True))
    for letter, replacement in list(pairs.items()):
        if len(letter.upper()) == 1 and letter not in "ıς":
            pairs.setdefault(letter.upper(), replacement)
    return "".join(pairs), "".join(pairs.values())


_FUNCTION = (
    "CREATE OR REPLACE FUNCTION {head} LANGUAGE sql IMMUTABLE PARALLEL SAFE"
    " AS $sql$ SELECT {body} $sql$;\n"
)
_STROKED, _STROKED_AS = _with_capitals(STROKED, STROKED_AS)
_UNMARKED = (
    f"regexp_replace(normalize(regexp_replace(lower($1), '{REMOVED}', '', 'g'), NFKC),"
    f" '{MARKS}', '', 'g')"
)
_IS_ASCII = "octet_length($1) = length($1)"
_MARKLESS = f"normalize(regexp_replace(normalize($1, NFKD), '{MARKS}', '', 'g'), NFC)"
_PLAIN_SQL = (
    f"translate({_replacing(_MARKLESS, LIGATURES)}, '{_STROKED}', '{_STROKED_AS}')"
)


FUNCTIONS = "".join(
    _FUNCTION.format(head=f"{name} RETURNS text", body=body)
    for name, body in {
        # Most texts are ASCII, which is quick to detect and has little to fold.
        "search_written(text)": (
            f"btrim(regexp_replace(CASE WHEN {_IS_ASCII}"
            f" THEN translate(lower($1), '''`', '') ELSE {_UNMARKED} END,"
            f" '{GAPS}', ' ', 'g'))"
        ),
        "search_plain(text)": f"CASE WHEN {_IS_ASCII} THEN $1 ELSE {_PLAIN_SQL} END",
        "search_spelt_out(text)": (
            f"CASE WHEN {_IS_ASCII} THEN $1"
            f" ELSE search_plain({_replacing('$1', SPELT_OUT)}) END"
        ),
        # The plain and spelt-out forms of those words of a written text that are
        # not ASCII.
        "search_other(text)": (
            "concat_ws(' ', search_plain(words), search_spelt_out(words)) FROM ("
            "SELECT string_agg(word, ' ') AS words"
            " FROM unnest(string_to_array($1, ' ')) AS word"
            " WHERE octet_length(word) <> length(word)) AS foreign_words"
        ),
        # The skeleton of each word of a plain text.
        "search_skeleton(text)": (
            "regexp_replace(regexp_replace($1,"
            " 'a[ae]+', 'a', 'gi'), '([ou])e+', '\\1', 'gi')"
        ),
        # The skeletons of those words of a plain text that differ from them.
        "search_skeletons(text)": (
            "search_skeleton(string_agg(word, ' '))"
            " FROM unnest(string_to_array($1, ' ')) AS word"
            " WHERE word ~* 'a[ae]|[ou]e'"
        ),
        # Each two and each three neighbours as one word.
        "search_joined(text)": (
            "string_agg(concat_ws(' ', word || next, CASE WHEN"
            " NOT (next ~ '[0-9]$' AND third ~ '^[0-9]')"
            " THEN word || next || third END), ' ') FROM ("
            "SELECT word, lead(word) OVER text AS next,"
            " lead(word, 2) OVER text AS third"
            " FROM unnest(string_to_array($1, ' ')) WITH ORDINALITY AS words(word, n)"
            " WINDOW text AS (ORDER BY n)) AS neighbours"
            " WHERE NOT (word ~ '[0-9]$' AND next ~ '^[0-9]')"
        ),
        # Words that have a hyphen, without the hyphen.
        "search_hyphenated(text)": (
            f"CASE WHEN $1 ~ '{HYPHENATED}' THEN ("
            f"SELECT search_written(string_agg(regexp_replace(word, '{HYPHENS}', '',"
            " 'g'), ' ')) FROM regexp_split_to_table($1, '[[:space:]]+') AS word"
            f" WHERE word ~ '{HYPHENATED}') ELSE '' END"
        ),
    }.items()
)


def vector_function(config: str, longest: int) -> str:
    """Return the SQL of `product_vector`, which computes a product's search vector.

    `config` is the configuration that stems words; no more than `longest` characters of
    the description count. The weights are:

    - A: the words of the name as they are written, and the SKUs
    - B: the description
    - C: stems and other spellings of the name
    - D: neighbours in the name, and words with a hyphen in the description, as one
      word; and skeletons. All neighbours in the description would make the index four
      times as large.

    A dump is restored with an empty search path, so the function sets its own.
    """
    return f"""
CREATE OR REPLACE FUNCTION product_vector(name text, skus text[], description text)
RETURNS tsvector LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path FROM CURRENT AS $sql$
DECLARE
    beginning text := left(description, {longest});
    title text := search_written(name);
    title_plain text := search_plain(title);
    title_spelt_out text := search_spelt_out(title);
    title_other text := search_other(title);
    title_joined text := concat_ws(' ', search_joined(title_plain),
        search_joined(nullif(title_spelt_out, title_plain)));
    code text := search_written(array_to_string(skus, ' '));
    code_plain text := search_plain(code);
    code_joined text := array_to_string(ARRAY(
        SELECT replace(search_plain(search_written(sku)), ' ', '')
        FROM unnest(skus) AS sku), ' ');
    story text := search_written(beginning);
    story_other text := search_other(story);
    hyphenated text := search_hyphenated(beginning);
    hyphenated_other text := search_other(hyphenated);
BEGIN
    RETURN setweight(to_tsvector('simple'::regconfig, title), 'A')
        || setweight(to_tsvector('simple'::regconfig,
            concat_ws(' ', code_plain, code_joined)), 'A')
        || setweight(to_tsvector('simple'::regconfig,
            concat_ws(' ', title_other, search_other(code))), 'C')
        || setweight(to_tsvector('{config}'::regconfig,
            concat_ws(' ', title, title_other)), 'C')
        || setweight(to_tsvector('{config}'::regconfig,
            concat_ws(' ', story, story_other)), 'B')
        || setweight(to_tsvector('{config}'::regconfig, concat_ws(' ', title_joined,
            hyphenated, hyphenated_other, search_skeletons(concat_ws(' ',
                title_plain, title_joined, story, story_other,
                hyphenated, hyphenated_other)))), 'D');
END
$sql$;
"""
