"""Views of other people's code inside a transaction."""

from importlib import import_module

from django.db import transaction
from django.urls import URLPattern, URLResolver
from django.utils.decorators import method_decorator

Patterns = list[URLPattern | URLResolver]

# For views of ours: @AtomicView
AtomicView = method_decorator(transaction.atomic, name="dispatch")


def atomic(module: str) -> Patterns:
    """The URL patterns of `module`, each of its views in a transaction: a row and the
    mail it causes are written together or not at all."""
    patterns: Patterns = import_module(module).urlpatterns
    for pattern in patterns:
        _wrap(pattern)
    return patterns


def _wrap(pattern: URLPattern | URLResolver) -> None:
    if isinstance(pattern, URLPattern):
        pattern.callback = transaction.atomic(pattern.callback)
    else:
        for inner in pattern.url_patterns:
            _wrap(inner)
