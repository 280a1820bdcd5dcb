"""Environment variables. An invalid value ends any program with a one-line message."""

import os
import re
import sys
from traceback import walk_tb
from types import TracebackType
from typing import TypeVar
from urllib.parse import urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured

_usual_hook = sys.excepthook

Number = TypeVar("Number", int, float)

YES = ("1", "true", "on", "yes", "y", "t", "ok")
NO = ("0", "false", "off", "no", "n", "f")
WHOLE = re.compile(r"-?[0-9]{1,18}")
DECIMAL = re.compile(r"-?[0-9]{1,18}(\.[0-9]{1,18})?")
HOST = re.compile(r"[\w.-]+|\[[\da-f:.]+\]", re.ASCII | re.IGNORECASE)
ORIGIN = re.compile(
    rf"[a-z][a-z\d+.-]*://(?:\*\.)?(?:{HOST.pattern})(?::\d{{1,5}})?", re.I
)
IPV6 = re.compile(r"[\da-f]*:[\da-f.]*:[\da-f:.]*", re.I)
COUNTRY = re.compile(r"[A-Z]{2}")
TOKEN = re.compile(r"[!-~]+")
LARGEST = 2**31 - 1  # the largest number for the database and the system
LONGEST = 10_000_000  # seconds or minutes, within the range of clocks and dates


class Env:
    """Reads environment variables strictly.

    django-environ's `Env` guesses: it reads `$ecret` as the name of another variable,
    "ture" as no, and 1e9 seconds as 19. Here nothing in a value is replaced. Spaces and
    line breaks around it are removed, because files with secrets often end with a line
    break. An empty value counts as unset.
    """

    read_env = environ.Env.read_env

    def one_of(self, name: str, default: str, *choices: str) -> str:
        """Return one of `choices`. Case is ignored."""
        text = _text(name) or default
        for choice in choices:
            if choice.lower() == text.lower():
                return choice
        known = f"{', '.join(choices[:-1])} or {choices[-1]}"
        raise ImproperlyConfigured(f"{name} may be {known}, and is {text!r}.")

    def url(self, name: str) -> str:
        """Return a URL without a slash at its end, or "" if it is unset."""
        text = _text(name) or ""
        if text and not _is_address(text):
            raise ImproperlyConfigured(
                f"{name} is not an address such as https://server.example."
            )
        return text.rstrip("/")

    def origins(self, name: str, default: list[str]) -> list[str]:
        """Return origins as browsers write them. Other texts would never match."""
        origins = [origin.rstrip("/") for origin in self.list(name, default)]
        for origin in origins:
            if not ORIGIN.fullmatch(origin):
                raise ImproperlyConfigured(
                    f"{name}: {origin!r} is not an origin such as https://shop.example."
                )
        return origins

    def host(self, name: str) -> str:
        """Return a host name or IP address, or "" if it is unset."""
        text = _text(name) or ""
        if text and not (HOST.fullmatch(text) or IPV6.fullmatch(text)):
            raise ImproperlyConfigured(
                f"{name}: {text!r} is not a host such as server.example, which has"
                " neither scheme nor port."
            )
        return text

    def token(self, name: str) -> str:
        """Return a bearer token (RFC 6750), or "" if it is unset."""
        text = _text(name) or ""
        if text and not TOKEN.fullmatch(text):
            raise ImproperlyConfigured(
                f"{name} may have letters, digits, punctuation and no spaces, else no"
                " client could send it."
            )
        return text

    def country(self, name: str, default: str) -> str:
        """Return a country code of two capitals (ISO 3166-1)."""
        code = (_text(name) or default).upper()
        if not COUNTRY.fullmatch(code):
            raise ImproperlyConfigured(
                f"{name} is not a country of two letters such as DE: {code!r}."
            )
        return code

    def hosts(self, name: str, default: list[str]) -> list[str]:
        """Return host names. They may begin with a dot, or be "*"."""
        hosts = self.list(name, default)
        for host in hosts:
            if not (host == "*" or HOST.fullmatch(host.removeprefix("."))):
                raise ImproperlyConfigured(
                    f"{name}: {host!r} is not a host such as shop.example, which has"
                    " neither scheme nor port."
                )
        return hosts

    # These methods have the names of the types that they return. `str` comes last, as
    # the annotations above it mean the type.

    def list(self, name: str, default: list[str]) -> list[str]:
        """Return the items of a comma-separated list."""
        text = _text(name)
        if text is None:
            return default
        return [item.strip() for item in text.split(",") if item.strip()]

    def bool(self, name: str, default: bool) -> bool:
        text = _text(name)
        if text is None:
            return default
        return flag(name, text)

    def float(
        self, name: str, default: float, least: float = 0, most: float = LONGEST
    ) -> float:
        return _number(name, default, float, DECIMAL, least, most)

    def int(self, name: str, default: int, least: int = 0, most: int = LARGEST) -> int:
        return _number(name, default, int, WHOLE, least, most)

    def str(self, name: str, default: str | None = None) -> str:
        """Return the text. Raises `ImproperlyConfigured` if there is none."""
        text = _text(name)
        if text is not None:
            return text
        if default is None:
            raise ImproperlyConfigured(f"{name} is not set.")
        return default


def flag(name: str, text: str) -> bool:
    """Return a yes or no as a boolean. Raises `ImproperlyConfigured` for others."""
    if text.lower() not in YES + NO:
        raise ImproperlyConfigured(f"{name} may be 1 or 0, and is {text!r}.")
    return text.lower() in YES


def _text(name: str) -> str | None:
    text = os.environ.get(name, "").strip()
    if re.search(r"[\x00-\x1f\x7f\ud800-\udfff]", text):
        raise ImproperlyConfigured(
            f"{name} has a line break, another control character or bytes in it that"
            " are not UTF-8."
        )
    return text or None


def _is_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
        is_web = parts.scheme in ("http", "https") and parts.port != 0
    except ValueError:  # a port that is none, half of an IPv6 address
        return False
    return is_web and HOST.fullmatch(_host(parts.netloc)) is not None


def _host(netloc: str) -> str:
    return re.sub(r":\d+\Z", "", netloc)


def _number(
    name: str,
    default: Number,
    kind: type[Number],
    pattern: re.Pattern[str],
    least: Number,
    most: Number,
) -> Number:
    text = _text(name)
    if text is None:
        return default
    if not pattern.fullmatch(text):
        raise ImproperlyConfigured(f"{name}: {text!r} is not a number.")
    number = kind(text)
    if not least <= number <= most:
        raise ImproperlyConfigured(
            f"{name} must be from {least} to {most}, and is {text}."
        )
    return number


def in_one_line(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    """Print errors of the environment without a traceback. For `sys.excepthook`.

    Other errors keep their traceback.
    """
    if isinstance(error, ImproperlyConfigured) and _is_of_settings(trace):
        print(error, file=sys.stderr)
    else:
        _usual_hook(kind, error, trace)


def _is_of_settings(trace: TracebackType | None) -> bool:
    """Return whether the settings were just being read."""
    frames = (frame for frame, _line in walk_tb(trace))
    return any(frame.f_globals["__name__"] == "project.settings" for frame in frames)
