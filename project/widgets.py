"""Fields of forms that Django's own widgets make slowly."""

from functools import lru_cache

from django.forms.utils import flatatt
from django.utils.html import escape, format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from django_countries.widgets import LazySelect


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


@lru_cache(maxsize=16)  # one for each language
def _options(choices: tuple[tuple[str, str], ...]) -> str:
    return format_html_join("\n", '<option value="{}">{}</option>', choices)
