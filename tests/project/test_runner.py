"""`manage.py test` hands over to pytest."""

import os
import subprocess
import sys

import pytest

from project.runner import PytestRunner, path_of


@pytest.mark.parametrize(
    "label, path",
    [
        ("tests/products", "tests/products"),
        ("tests/project/test_runner.py", "tests/project/test_runner.py"),
        ("tests.products", "tests/products"),
        ("tests.project.test_runner", "tests/project/test_runner.py"),
        ("products", "tests/products"),
        ("products.orders", "tests/products/orders"),
        ("project.test_runner", "tests/project/test_runner.py"),
        ("products/orders", "tests/products/orders"),
        (
            "tests/project/test_runner.py::test_it",
            "tests/project/test_runner.py::test_it",
        ),
        ("nowhere", "nowhere"),
    ],
)
def test_path_of_a_label_is_what_pytest_wants(label, path):
    assert path_of(label) == path


def test_runner_passes_its_options_on(monkeypatch):
    calls = []
    monkeypatch.setattr(pytest, "main", lambda words: calls.append(words) or 0)

    runner = PytestRunner(verbosity=2, failfast=True, keyword="race")

    assert runner.run_tests(["products"]) == 0
    assert calls == [["tests/products", "-v", "--exitfirst", "-k", "race"]]


@pytest.mark.parametrize("keyword, code", [("of_an_amount", 0), ("no_such_test", 1)])
def test_manage_py_test_of_a_label_runs_those_tests(settings, keyword, code):
    command = [sys.executable, "manage.py", "test", "products.templatetags"]

    done = subprocess.run(
        [*command, "-k", keyword],
        cwd=settings.BASE_DIR,
        env=os.environ,
        capture_output=True,
        text=True,
        timeout=120,
    )

    assert done.returncode == code, done.stdout + done.stderr
    assert ("5 passed" in done.stdout) == (code == 0)
