"""What the fork server gives is a process like one that was started."""

import os
import signal
import subprocess
import sys

import pytest

from tests.support import fork_server
from tests.support.fork_server import run

OURS = {"project", "products", "users", "realtime"}


def test_process_has_the_environment_that_it_was_given_and_no_other():
    done = run(["-c", "import os; print(dict(os.environ))"], {"ONE": "1", "TWO": "é"})

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "{'ONE': '1', 'TWO': 'é'}\n"


def test_process_has_loaded_libraries_and_nothing_of_the_shop():
    program = "import sys; print(*{m.split('.')[0] for m in sys.modules})"

    names = set(run(["-c", program], {}).stdout.split())

    assert {"django", "celery", "twisted"} <= names
    assert not names & OURS


@pytest.mark.parametrize("words", [["-c", "PROGRAM"], ["-m", "timeit"], ["FILE"]])
def test_process_does_with_its_words_what_python_does(words, tmp_path):
    program = "import sys; print(__name__, sys.argv[1:]); sys.exit('no')"
    file = tmp_path / "program.py"
    file.write_text(program)
    given = {"PROGRAM": program, "FILE": str(file)}
    words = [given.get(word, word) for word in words] + ["--wrong", "a b"]
    python, asked = [sys.executable, *words], {"capture_output": True, "text": True}

    ours, theirs = run(words, {**os.environ}), subprocess.run(python, **asked)

    assert (ours.stdout, ours.stderr) == (theirs.stdout, theirs.stderr)
    assert ours.returncode == theirs.returncode > 0


def test_process_that_fails_says_why_and_tells_its_exit_code():
    done = run(["-c", "1 / 0"], {})

    assert done.returncode == 1
    assert done.stderr.endswith("ZeroDivisionError: division by zero\n")


def test_process_that_is_killed_tells_by_what(tmp_path):
    with (tmp_path / "log").open("wb") as log:
        process = fork_server.launch(["-c", "import time; time.sleep(60)"], {}, log)
    assert process.poll() is None
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.01)

    process.send_signal(signal.SIGTERM)

    assert process.wait(30) == -signal.SIGTERM == process.poll()
    process.kill()  # it is gone, and nobody else is hit


def test_process_has_no_file_of_the_tests():
    done = run(["-c", "import os; print(*sorted(os.listdir('/dev/fd')))"], {})

    assert done.stdout.split() == ["0", "1", "2", "3"]  # 3 is the folder


def test_process_is_of_this_user_in_this_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    done = run(["-c", "import os; print(os.getuid(), os.getcwd())"], {})

    assert done.stdout == f"{os.getuid()} {tmp_path}\n"
