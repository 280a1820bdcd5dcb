"""Fields of forms that Django's own widgets make slowly."""

from collections.abc import Iterable, Iterator
from functools import lru_cache

from django.forms.utils import flatatt
from django.utils.choices import BaseChoiceIterator
from django.utils.html import escape, format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import get_language
from django_countries.widgets import LazySelect

MOST = 50  # sets of countries in a language


class CountrySelect(LazySelect):
    """The countries to choose from. Django renders two templates for each of 250
    options, which takes longer than the rest of the page."""

    def render(self, name, value, attrs=None, renderer=None) -> SafeString:
        """As Django does, for a flat list."""
        options = _options(
            tuple((str(code), str(label)) for code, label in self.choices)
        )
        for chosen in self.format_value(value):
            option = f'<option value="{escape(chosen)}"'
            options = options.replace(f"{option}>", f"{option} selected>", 1)
        attributes = flatatt({"name": name, **self.build_attrs(self.attrs, attrs)})
        return format_html("<select{}>\n{}\n</select>", attributes, mark_safe(options))


class KnownChoices(BaseChoiceIterator):
    """Choices that Django takes as they are. It goes through others several times."""

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        self.pairs = tuple(pairs)

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self.pairs)


_known: dict[tuple[str | None, frozenset[str]], KnownChoices] = {}


def known_countries(
    choices: Iterable[tuple[str, str]], codes: frozenset[str]
) -> KnownChoices:
    """Return those choices of countries that have one of the codes, or none.

    They are kept for the language and the codes.
    """
    key = (get_language(), codes)
    if key not in _known:
        if len(_known) >= MOST:
            _known.clear()
        pairs = ((str(code), str(name)) for code, name in choices)
        _known[key] = KnownChoices(p for p in pairs if not p[0] or p[0] in codes)
    return _known[key]


@lru_cache(maxsize=16)  # one for each language
def _options(choices: tuple[tuple[str, str], ...]) -> str:
    return format_html_join("\n", '<option value="{}">{}</option>', choices)
