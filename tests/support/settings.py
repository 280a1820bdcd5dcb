"""Settings that threads can read while a test changes them."""

from typing import Any

from django.conf import LazySettings

_django_set = LazySettings.__setattr__


def replace_in_one_step() -> None:
    """Let tests replace the settings in one step.

    Django empties the object first and fills it then. A thread that reads a setting in
    between fails with an `AttributeError`.
    """
    LazySettings.__setattr__ = _set


def _set(self: LazySettings, name: str, value: Any) -> None:
    if name == "_wrapped":
        object.__setattr__(self, "__dict__", {"_wrapped": value})
    else:
        _django_set(self, name, value)
