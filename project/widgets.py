"""Fields of forms that Django's own widgets make slowly."""

from django.forms.utils import flatatt
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django_countries.widgets import LazySelect


class CountrySelect(LazySelect):
    """The countries to choose from. Django renders two templates for each of 250
    options, which takes longer than the rest of the page."""

    def render(self, name, value, attrs=None, renderer=None) -> SafeString:
        """As Django does, for a flat list."""
        widget = self.get_context(name, value, attrs)["widget"]
        options = format_html_join(
            "\n",
            '<option value="{}"{}>{}</option>',
            (
                (option["value"], _attributes(option["attrs"]), option["label"])
                for _group, options, _index in widget["optgroups"]
                for option in options
            ),
        )
        attributes = flatatt({"name": widget["name"], **widget["attrs"]})
        return format_html("<select{}>\n{}\n</select>", attributes, options)


def _attributes(attrs: dict) -> str:
    return flatatt(attrs) if attrs else ""
