"""The tag that renders a part of a page once for everybody."""

import pytest
from django.template import Context, Template, TemplateSyntaxError
from django.utils import translation

from project.templatetags import once


def rendered(template: Template, **values: object) -> str:
    return template.render(Context(values))


def test_block_is_rendered_once_for_each_of_its_values():
    page = Template("{% load once %}{% once shop=name %}{{ shop }}{% endonce %}")
    kept = page.nodelist[-1].kept

    texts = [rendered(page, name=name) for name in ("A", "B", "A")]

    assert texts == ["A", "B", "A"] and len(kept) == 2


def test_block_sees_nothing_of_a_visitor_but_its_values():
    page = Template(
        "{% load once %}{% once %}[{{ name }}{% csrf_token %}]{% endonce %}"
    )

    assert rendered(page, name="Ann", csrf_token="secret") == "[]"


def test_block_is_kept_for_each_language():
    source = (
        "{% load i18n once %}{% once %}{% get_current_language as code %}{{ code }}"
    )
    page = Template(f"{source}{{% endonce %}}")

    texts = []
    for language in ("en", "de", "en"):
        with translation.override(language):
            texts.append(rendered(page))

    assert texts == ["en", "de", "en"]


def test_values_are_escaped():
    page = Template("{% load once %}{% once shop=name %}{{ shop }}{% endonce %}")

    assert rendered(page, name="<b>") == "&lt;b&gt;"


def test_no_more_than_so_many_are_kept(monkeypatch):
    monkeypatch.setattr(once, "MOST", 2)
    page = Template("{% load once %}{% once n=n %}{{ n }}{% endonce %}")

    assert [rendered(page, n=n) for n in range(5)] == ["0", "1", "2", "3", "4"]
    assert len(page.nodelist[-1].kept) <= 2


def test_values_without_a_name_are_refused():
    with pytest.raises(TemplateSyntaxError, match="by name"):
        Template("{% load once %}{% once name %}{% endonce %}")


def test_change_of_a_setting_drops_what_was_kept(settings):
    page = Template("{% load once %}{% once %}{% endonce %}")
    rendered(page)

    settings.SHOP_NAME = "Other"

    assert page.nodelist[-1].kept == {}
