"""Log lines, as text and as JSON."""

import json
import logging
import os
import subprocess
import sys

import pytest

from project import logs
from realtime import request_ids


def record(text: str, *args: object, **extra: object) -> logging.LogRecord:
    made = logging.makeLogRecord(extra)
    made.name, made.levelno, made.levelname = "shop", logging.ERROR, "ERROR"
    made.msg, made.args = text, args
    return made


def shown(made: logging.LogRecord) -> dict:
    text = logs.Json().format(made)
    assert "\n" not in text
    return json.loads(text)


def test_line_of_text_is_as_before_without_secrets():
    formatter = logs.line("%(levelname)s %(name)s: %(message)s")

    assert formatter.format(record("Hello %s", "you")) == "ERROR shop: Hello you"
    assert formatter.format(record("token=%s", "abc")) == "ERROR shop: token=-"


def test_json_has_the_exception_as_one_text_and_the_requests_id():
    try:
        raise ValueError("two\nlines, password=hunter2, ann@people.example")
    except ValueError:
        made = record("It broke", exc_info=sys.exc_info())

    with request_ids.carried("0123456789abcdef"):
        line = shown(made)

    assert line["message"] == "It broke" and line["request_id"] == "0123456789abcdef"
    assert line["exception"].startswith("Traceback")
    assert "two\nlines, password=-, [e-mail]" in line["exception"]


def test_json_shows_of_what_is_given_beside_only_what_it_knows():
    """Django gives the whole request, with its address."""
    line = shown(record("Odd \ud800 “text”", request=object(), status=404, token="abc"))

    assert line["status"] == 404
    assert "request" not in line and "token" not in line


def test_json_of_a_line_whose_arguments_do_not_fit_is_a_line_all_the_same():
    line = shown(record("%s and %s", "password=hunter2"))

    assert line["message"] == "%s and %s (its arguments do not fit)"


def test_celerys_own_handlers_show_no_secrets():
    logger, handler = logging.Logger("celery"), logging.StreamHandler()
    handler.setFormatter(logging.Formatter("[%(levelname)s] %(message)s"))
    logger.addHandler(handler)

    for _ in range(2):
        logs._mask_handlers(logger)

    assert handler.format(record("token=%s", "abc")) == "[ERROR] token=-"


@pytest.mark.parametrize(
    "argv, name",
    [
        (["/srv/shop/realtime/server/__main__.py", "-p", "8000"], "server"),
        (["/venv/celery/__main__.py", "--quiet", "worker"], "worker"),
        (["/venv/bin/celery", "--app", "project", "beat"], "beat"),
        (["manage.py", "migrate"], "migrate"),
        (["/venv/bin/uvicorn", "project.asgi:application"], "uvicorn"),
        ([], "python"),
    ],
    ids=["server", "worker", "beat", "command", "uvicorn", "nothing"],
)
def test_program_is_known_by_its_command_line(argv, name):
    assert logs.program(argv) == name


def test_error_that_ends_a_command_and_a_warning_are_json_too():
    code = "import warnings; warnings.warn('token=abc'); raise KeyError('token=abc')"

    done = subprocess.run(
        [sys.executable, "manage.py", "shell", "-c", code],
        env=os.environ | {"LOG_FORMAT": "json"},
        capture_output=True,
        text=True,
    )

    warning, end = (json.loads(line) for line in done.stderr.splitlines())
    assert (done.returncode, warning["logger"]) == (1, "py.warnings")
    assert end["exception"].endswith("KeyError: 'token=-")
    assert {warning["program"], end["program"]} == {"shell"}
    assert "abc" not in done.stderr
