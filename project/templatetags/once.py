"""Parts of pages that are the same for everybody, rendered once in each process."""

from typing import Any
from weakref import WeakSet

from django import template
from django.core.signals import setting_changed
from django.template import Context, NodeList
from django.template.base import FilterExpression, Node, Parser, Token, token_kwargs
from django.utils.translation import get_language

register = template.Library()

MOST = 200  # renderings of one block

_blocks: "WeakSet[OnceNode]" = WeakSet()


class OnceNode(Node):
    """A block whose renderings are kept, by language and by the values it is given."""

    def __init__(self, values: dict[str, FilterExpression], nodelist: NodeList) -> None:
        self.values, self.nodelist = values, nodelist
        self.kept: dict[tuple, str] = {}
        _blocks.add(self)

    def render(self, context: Context) -> str:
        values = {name: value.resolve(context) for name, value in self.values.items()}
        key = (get_language(), *values.values())
        kept = self.kept.get(key)
        if kept is None:
            if len(self.kept) >= MOST:
                self.kept = {}
            kept = self.kept[key] = self.nodelist.render(context.new(values))
        return kept


@register.tag
def once(parser: Parser, token: Token) -> OnceNode:
    """Render a block once: {% once shop=SHOP_NAME %}…{% endonce %}.

    The block sees the given values and nothing else of the page, so nothing of one
    visitor can be shown to others. They must be hashable, and have few values.
    """
    name, *words = token.split_contents()
    values = token_kwargs(words, parser)
    if words:
        raise template.TemplateSyntaxError(f"{name} takes values by name: {words[0]}")
    nodelist = parser.parse(("endonce",))
    parser.delete_first_token()
    return OnceNode(values, nodelist)


def forget(**_kwargs: Any) -> None:
    """Drop all renderings. Tests change settings, which blocks may show."""
    for block in list(_blocks):
        block.kept = {}


setting_changed.connect(forget)
