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

    told = capsys.readouterr().err
    assert told.startswith("Traceback") and "test_error_of_code" in told
