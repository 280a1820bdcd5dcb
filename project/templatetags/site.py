"""Where the shop is, for templates without a request."""

from django import template
from django.conf import settings

register = template.Library()


@register.simple_tag
def base_path() -> str:
    """What every address of the shop begins with: "/" or "/shop/"."""
    return settings.BASE_PATH
