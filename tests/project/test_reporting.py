"""Errors and traces are off unless set, and a setting that is wrong ends the start."""

import os
import subprocess
import sys

import pytest
from django.core.exceptions import ImproperlyConfigured

from project import reporting

DSN = "https://key@sentry.example/42"
OTLP = "OTEL_EXPORTER_OTLP_ENDPOINT"
# Runs manage.py as if a package were not installed.
WITHOUT = """
import sys

class Missing:
    def find_spec(name, path=None, target=None):
        if name.split(".")[0] == {package!r}:
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Missing)
sys.argv = ["manage.py", "check"]
exec(open("manage.py").read())
"""


def run(*words: str, **environment: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, *words],
        env=os.environ | environment,
        capture_output=True,
        text=True,
    )


def test_start_without_a_variable_imports_neither_library():
    """redis-py imports OpenTelemetry's SDK itself where it is installed."""
    code = (
        "import sys, project.asgi, project.celery;"
        "print([m for m in sys.modules if m.startswith(('sentry_sdk', 'project.sentry',"
        " 'project.otel', 'opentelemetry.instrumentation', 'opentelemetry.exporter'))])"
    )

    done = run("-c", code)

    assert done.stdout.strip() == "[]", done.stderr


@pytest.mark.parametrize(
    "package, variable, value",
    [("sentry_sdk", "SENTRY_DSN", DSN), ("opentelemetry", OTLP, "http://127.0.0.1:9")],
)
def test_library_that_is_missing_ends_the_start_in_one_line(package, variable, value):
    done = run("-c", WITHOUT.format(package=package), **{variable: value})

    (line,) = done.stderr.splitlines()
    assert done.returncode == 1
    assert line.startswith(f"{variable} is set, but {package}")
    assert line.endswith("pip install -r deploy/requirements-monitoring.txt")


@pytest.mark.parametrize(
    "words",
    [
        ["manage.py", "check"],
        ["-m", "realtime.server", "project.asgi:application"],
        ["-m", "celery", "--app", "project", "worker"],
    ],
    ids=["manage", "server", "worker"],
)
def test_dsn_that_is_none_ends_every_program_in_one_line(words):
    done = run(*words, SENTRY_DSN="sentry.example")

    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("SENTRY_DSN is not a DSN.")


@pytest.mark.parametrize(
    "dsn",
    [
        *(
            "sentry.example/42",
            "ftp://key@sentry.example/42",
            "https://sentry.example/42",
        ),
        *("https://key@/42", "https://key@sentry.example/", "https://key@[sentry/42"),
        *("https://key@sentry.example/shop", "https://key@sentry.example:x/42"),
    ],
)
def test_dsn_is_refused_unless_sentry_would_take_it(dsn):
    with pytest.raises(ImproperlyConfigured, match="SENTRY_DSN is not a DSN"):
        reporting.sentry_dsn(dsn)


def test_dsn_of_sentrys_own_form_is_taken():
    assert reporting.sentry_dsn(DSN) == DSN
    assert reporting.sentry_dsn("https://key@o1.ingest.sentry.io/sub/4505") != ""
    assert reporting.sentry_dsn("") == ""


@pytest.mark.parametrize("text", ["many", "-1", "1.5", "nan", ""])
def test_sample_rate_is_a_number_from_0_to_1(text):
    with pytest.raises(ImproperlyConfigured, match="RATE must be a number from 0 to 1"):
        reporting.sample_rate("RATE", text)
    assert reporting.sample_rate("RATE", "0.25") == 0.25


@pytest.mark.parametrize(
    "variables, is_on",
    [
        ({}, False),
        ({OTLP: "http://127.0.0.1:4318"}, True),
        (
            {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:4318/v1/traces"},
            True,
        ),
        ({OTLP: "http://127.0.0.1:4318", "OTEL_SDK_DISABLED": "true"}, False),
        ({OTLP: "http://127.0.0.1:4318", "OTEL_TRACES_EXPORTER": "none"}, False),
        ({OTLP: "127.0.0.1:4318"}, f"{OTLP} is not the address of a receiver"),
        ({OTLP: "http://h:port"}, f"{OTLP} is not the address of a receiver"),
        (
            {OTLP: "http://h", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"},
            "OTEL_EXPORTER_OTLP_PROTOCOL may be http/protobuf",
        ),
        (
            {OTLP: "http://h", "OTEL_TRACES_EXPORTER": "zipkin"},
            "OTEL_TRACES_EXPORTER may be otlp or none",
        ),
        (
            {OTLP: "http://h", "OTEL_BSP_SCHEDULE_DELAY": "soon"},
            "OTEL_BSP_SCHEDULE_DELAY: 'soon' is not a number",
        ),
        (
            {OTLP: "http://h", "OTEL_BSP_MAX_QUEUE_SIZE": "0"},
            "OTEL_BSP_MAX_QUEUE_SIZE must be above 0",
        ),
        (
            {OTLP: "http://h", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "5000"},
            "OTEL_BSP_MAX_EXPORT_BATCH_SIZE must not be above",
        ),
        (
            {OTLP: "http://h", "OTEL_PROPAGATORS": "tracecontext,b4"},
            "OTEL_PROPAGATORS may have .* 'b4'",
        ),
        (
            {OTLP: "http://h", "OTEL_SPAN_EVENT_COUNT_LIMIT": "-1"},
            "OTEL_SPAN_EVENT_COUNT_LIMIT: '-1' is not a number",
        ),
    ],
    ids=[
        *("off", "on", "traces", "disabled", "none", "no-url", "port", "grpc"),
        *("zipkin", "delay", "queue", "batch", "propagator", "limit"),
    ],
)
def test_traces_are_on_as_opentelemetrys_variables_say(monkeypatch, variables, is_on):
    for name in [name for name in os.environ if name.startswith("OTEL_")]:
        monkeypatch.delenv(name)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    if isinstance(is_on, str):
        with pytest.raises(ImproperlyConfigured, match=is_on):
            reporting.is_otel_on()
    else:
        assert reporting.is_otel_on() is is_on


def test_log_format_is_text_or_json():
    done = run("manage.py", "check", LOG_FORMAT="xml")

    assert done.returncode == 1
    assert done.stderr == "LOG_FORMAT may be text or json, and is 'xml'.\n"
