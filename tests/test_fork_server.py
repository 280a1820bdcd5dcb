"""What the fork server gives is a process like one that was started."""

import os
import signal
import subprocess

import pytest

from tests import fork_server

OURS = {"project", "products", "users", "realtime"}


@pytest.fixture
def run(tmp_path):
    """Run a statement in a process; returns its exit code and what it said."""

    def run(statement: str, **environment: str) -> tuple[int, str]:
        with (tmp_path / "log").open("wb") as log:
            process = launch(statement, log, environment)
        return process.wait(30), (tmp_path / "log").read_text()

    return run


def launch(statement: str, log, environment: dict[str, str]) -> fork_server.Forked:
    words = ["timeit", "-n1", "-r1", "-s", statement]
    return fork_server.launch(words, environment, log, is_leader=True)


def test_process_has_the_environment_that_it_was_given_and_no_other(run):
    code, said = run("import os; print(dict(os.environ))", ONE="1", TWO="é")

    assert code == 0
    assert said.splitlines()[0] == "{'ONE': '1', 'TWO': 'é'}"


def test_process_has_loaded_libraries_and_nothing_of_the_shop(run):
    _code, said = run("import sys; print(*{m.split('.')[0] for m in sys.modules})")

    names = set(said.splitlines()[0].split())
    assert {"django", "celery", "twisted"} <= names
    assert not names & OURS


def test_process_has_its_own_arguments_and_its_own_main_module(run):
    _code, said = run("import __main__, sys; print(__main__.__name__, sys.argv[1:3])")

    assert said.splitlines()[0] == "__main__ ['-n1', '-r1']"


def test_process_that_fails_says_why_and_tells_its_exit_code(run):
    code, said = run("1 / 0")

    assert code == 1
    assert "ZeroDivisionError" in said


def test_process_that_is_killed_tells_by_what(tmp_path):
    with (tmp_path / "log").open("wb") as log:
        process = launch("import time; time.sleep(60)", log, {})
    assert process.poll() is None
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.01)

    process.send_signal(signal.SIGTERM)

    assert process.wait(30) == -signal.SIGTERM == process.poll()
    process.kill()  # it is gone, and nobody else is hit


def test_process_has_no_file_of_the_tests(run):
    _code, said = run("import os; print(*sorted(os.listdir('/dev/fd')))")

    assert said.splitlines()[0].split() == ["0", "1", "2", "3"]  # 3 is the folder


def test_process_is_of_this_user_in_this_folder(run):
    _code, said = run("import os; print(os.getuid(), os.getcwd())")

    assert said.splitlines()[0] == f"{os.getuid()} {os.getcwd()}"
