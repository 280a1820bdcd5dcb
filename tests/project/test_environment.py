"""A variable that cannot work ends every program of the shop with one line."""

import os
import subprocess
import sys

import pytest
from django.core.exceptions import ImproperlyConfigured

from project.environment import Env, in_one_line

PROGRAMS = {
    "make run": ["deploy/local/prepare.py"],
    # Django itself would begin a shell without settings.
    "shell": ["manage.py", "shell", "-c", "1"],
    "server": ["-m", "realtime.server", "-p", "0", "project.asgi:application"],
    "worker": ["-m", "celery", "--app", "project", "worker"],
}


def test_every_program_refuses_a_wrong_address_in_one_line_without_the_password():
    environment = os.environ | {"REDIS_URL": "redis://:gehe#im@localhost"}
    begun = {
        name: subprocess.Popen(
            [sys.executable, *words],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for name, words in PROGRAMS.items()
    }

    for name, program in begun.items():
        said, complained = program.communicate(timeout=60)
        assert (program.returncode, said) == (1, ""), name
        (line,) = complained.splitlines()
        assert line.startswith("REDIS_URL cannot be read."), name
        assert "gehe" not in line, name


NAME = "SOME_VARIABLE"
METHODS = {
    "int": lambda: Env().int(NAME, 4, least=1),
    "float": lambda: Env().float(NAME, 4, least=0.1),
    "bool": lambda: Env().bool(NAME, True),
    "choice": lambda: Env().one_of(NAME, "INFO", "DEBUG", "INFO"),
    "url": lambda: Env().url(NAME),
    "host": lambda: Env().host(NAME),
    "hosts": lambda: Env().hosts(NAME, ["a.example"]),
    "origins": lambda: Env().origins(NAME, ["https://a.example"]),
    "token": lambda: Env().token(NAME),
    "text": lambda: Env().str(NAME, "none"),
    "list": lambda: Env().list(NAME, ["none"]),
}


@pytest.mark.parametrize(
    "kind, text, expected",
    [
        ("int", " 12\n", 12),
        ("int", "", 4),
        ("float", "1.5", 1.5),
        ("float", " ", 4),
        ("bool", " Off ", False),
        ("bool", "TRUE", True),
        ("bool", "", True),
        ("choice", "debug", "DEBUG"),
        ("choice", "", "INFO"),
        ("url", "https://[::1]:8443/realms/shop/", "https://[::1]:8443/realms/shop"),
        ("url", "", ""),
        ("host", "::1", "::1"),
        ("host", "smtp.example", "smtp.example"),
        ("hosts", "*", ["*"]),
        ("hosts", " .a.example, [::1] ,", [".a.example", "[::1]"]),
        ("origins", "http://a:80/, https://*.b", ["http://a:80", "https://*.b"]),
        ("token", "a/b+c=$%", "a/b+c=$%"),
        ("text", "$HOME is ñ", "$HOME is ñ"),
        ("text", "\\$5", "\\$5"),
        ("text", "secret\n", "secret"),
        ("list", "", ["none"]),
    ],
)
def test_value_is_taken_as_it_stands(monkeypatch, kind, text, expected):
    monkeypatch.setenv(NAME, text)

    assert METHODS[kind]() == expected


@pytest.mark.parametrize(
    "kind, text",
    [
        *(
            ("int", text)
            for text in ("0", "-1", "1_000", "１０", "0x10", "1e3", "9" * 12)
        ),
        *(("float", text) for text in ("0", "-1", "10s", "1e9", "1,5", "nan", "inf")),
        *(("bool", text) for text in ("ture", "2", "'1'", "maybe")),
        *(("choice", text) for text in ("verbose", "10")),
        *(
            ("url", text)
            for text in ("x", "ftp://a", "http://", "http://a:b", "http://a b")
        ),
        *(("host", text) for text in ("a:25", "https://a", "a b", "a/b")),
        *(("hosts", text) for text in ("https://a", "a:8000", "a/b", "a b")),
        *(("origins", text) for text in ("a.example", "https://a/b", "*", "null")),
        *(("token", text) for text in ("two words", "ü")),
        *(("text", text) for text in ("a\r\nb", "a\x7fb", "\udcff")),
        ("list", "a\nb"),
    ],
)
def test_value_that_cannot_work_is_refused_in_one_line(monkeypatch, kind, text):
    monkeypatch.setenv(NAME, text)

    with pytest.raises(ImproperlyConfigured, match=rf"\A{NAME}\b.+\Z"):
        METHODS[kind]()


def test_variable_that_must_be_set_is_named(monkeypatch):
    monkeypatch.setenv(NAME, " ")

    with pytest.raises(ImproperlyConfigured, match=rf"\A{NAME} is not set.\Z"):
        Env().str(NAME)


@pytest.mark.parametrize("kind", ["int", "float"])
def test_variable_that_is_no_number_is_named(monkeypatch, kind):
    monkeypatch.setenv("HTTP_THREADS", "many")

    with pytest.raises(ImproperlyConfigured) as refused:
        getattr(Env(), kind)("HTTP_THREADS", 4)

    assert str(refused.value) == "HTTP_THREADS: 'many' is not a number."


def test_error_of_code_keeps_its_traceback(capsys):
    try:
        raise ImproperlyConfigured("A view has no template.")
    except ImproperlyConfigured as error:
        in_one_line(type(error), error, error.__traceback__)

    output = capsys.readouterr().err
    assert output.startswith("Traceback") and "test_error_of_code" in output
