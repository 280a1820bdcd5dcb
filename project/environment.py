"""Variables that cannot work end the program with one line, whichever program it is."""

import os
import sys
from traceback import walk_tb
from types import TracebackType
from typing import Any

import environ
from django.core.exceptions import ImproperlyConfigured

_usual_hook = sys.excepthook


class Env(environ.Env):
    """django-environ's, which says in which variable a number is missing."""

    def get_value(self, var: str, cast: Any = None, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().get_value(var, cast, *args, **kwargs)
        except ValueError:
            told = f"{var}: {os.environ[var]!r} is not a number."
        raise ImproperlyConfigured(told)


def in_one_line(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    """For `sys.excepthook`: say what is wrong with the environment, and not where in
    the code that was noticed. Any other error keeps its traceback."""
    if isinstance(error, ImproperlyConfigured) and _is_of_settings(trace):
        print(error, file=sys.stderr)
    else:
        _usual_hook(kind, error, trace)


def _is_of_settings(trace: TracebackType | None) -> bool:
    """Return whether the settings were just being read."""
    frames = (frame for frame, _line in walk_tb(trace))
    return any(frame.f_globals["__name__"] == "project.settings" for frame in frames)
