"""Masks secrets and email addresses in texts that leave the shop.

Log lines, errors and traces go through it. Paths that contain a key are in
`settings.SECRET_PATHS`; deploy/nginx/shop-http.conf has the same ones.
"""

import re
from functools import cache

from django.conf import settings

MASK = "-"
SECRET = (
    r"pass(?:word|wd|phrase)|\bpwd\b|secret|token|api[_-]?key|private[_-]?key"
    r"|authorization|cookie|session(?:id|[_-]key)|csrf|credential|signature|dsn\b"
)
DOMAIN = r"[\w-]{1,63}(?:\.[\w-]{1,63})*"
SECRET_NAME = re.compile(SECRET, re.IGNORECASE)
# Each takes time in proportion to the text's length at most, as visitors write some of
# these texts.
RULES = [
    # User and password in a URL: redis://:password@host.
    (re.compile(r"(\b[a-z][a-z0-9+]{1,20}://)[^/\s@\"']{1,500}@", re.I), rf"\1{MASK}@"),
    # Query strings, which contain one-time tokens.
    (re.compile(r"(?<=[\w/%.-])\?[^\s\"'<>?=]*=[^\s\"'<>]*"), f"?{MASK}"),
    (re.compile(r"\b(bearer|basic)\s+[\w.~+/=-]{6,}", re.I), rf"\1 {MASK}"),
    # Headers whose whole value is secret: `Authorization: Token …`, `Cookie: a=…; b=…`.
    (
        re.compile(
            r"\b((?:proxy-)?authorization|(?:set-)?cookie)(\s{0,3}[:=]\s{0,3})"
            r"(?![\"'\s])[^\"'\n]+",
            re.I,
        ),
        rf"\1\2{MASK}",
    ),
    (
        re.compile(
            rf"(?<![\w-])(--[\w-]{{0,40}}(?:{SECRET})[\w-]{{0,40}})[ \t]+[^\s-]\S*",
            re.I,
        ),
        rf"\1 {MASK}",
    ),
    # Tokens of JSON, and keys in files.
    (re.compile(r"\beyJ[\w-]{5,}\.[\w-]{5,}\.[\w-]*"), MASK),
    (re.compile(r"(-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----)[^-]*"), rf"\1{MASK}"),
    # name=value, name: value, 'name': 'value'.
    (
        re.compile(
            rf"((?<![\w-])[\w-]{{0,60}}?(?:{SECRET})[\w-]{{0,40}}"
            r"[\"']?\s{0,3}[:=]\s{0,3})"
            r"(?:(?:bearer|basic)\s+)?"
            r"(?:\"[^\"\n]*\"|'[^'\n]*'|[^\s,;&)}\]\"'][^\s,;&)}\]]*)",
            re.IGNORECASE,
        ),
        rf"\1{MASK}",
    ),
    (re.compile(r"\b(?:[srp]k_(?:live|test)|whsec)_\w+"), MASK),  # Stripe's
    (
        re.compile(r"\border:[A-Za-z0-9_-]{32}"),
        f"order:{MASK}",
    ),  # gives access to the order
    # What PostgreSQL quotes from a row that it refused.
    (
        re.compile(r"^([ \t|]{0,40}(?:DETAIL|CONTEXT|QUERY|LINE \d+)):.*$", re.M),
        rf"\1: {MASK}",
    ),
    (
        re.compile(r"(\binvalid input (?:syntax|value) for [^:\n]{1,80}: )\".*"),
        rf"\1{MASK}",
    ),
    (re.compile(rf"(?<!\w)\w[\w.+'-]{{0,63}}(?:@|%40){DOMAIN}"), "[e-mail]"),
]


def mask(text: str) -> str:
    """Return the text without secrets and personal data."""
    text = _paths().sub(rf"\1{MASK}", text)
    for pattern, shown in RULES:
        text = pattern.sub(shown, text)
    return text


def is_secret(name: str) -> bool:
    """Whether values with that name are always secret."""
    return SECRET_NAME.search(name) is not None


@cache
def _paths() -> re.Pattern[str]:
    beginnings = "|".join(map(_spellings, settings.SECRET_PATHS))
    # Braces mean the name of a key in a URL pattern.
    return re.compile(rf"((?:{beginnings}))(?!{{\w+}})[^\s\"'<>/?#]+", re.I)


def _spellings(path: str) -> str:
    """Return a pattern for all spellings of a path that servers accept: with doubled
    slashes and escaped letters."""
    return "".join(
        r"(?:/|%2f)+" if c == "/" else f"(?:{re.escape(c)}|%{ord(c):02x})" for c in path
    )
