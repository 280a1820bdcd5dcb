"""Processes that run tests take files that wait and files that do not at one time."""

import subprocess
import sys
from pathlib import Path

from tests.support.scheduling import next_file

ROOT = Path(__file__).resolve().parent.parent
FILES = [
    *("tests/browser/test_a.py", "tests/browser/test_b.py"),
    *("tests/realtime/test_c.py", "tests/system/test_d.py"),
]
CONFTEST = """
from tests.support.scheduling import BothKinds

def pytest_xdist_make_scheduler(config, log):
    return BothKinds(config, log)
"""
TEST = """
import os

def test_first():
    pass

def test_second():
    with open({log!r}, "a") as log:
        print(os.environ["PYTEST_XDIST_WORKER"], {file!r}, file=log)
"""


def test_next_file_is_the_first_of_its_kind():
    assert next_file(FILES, waits=True) == FILES[2]
    assert next_file(FILES, waits=False) == FILES[0]


def test_next_file_is_of_the_other_kind_when_no_more_of_its_own_are_left():
    assert next_file(FILES[:2], waits=True) == FILES[0]
    assert next_file(FILES[2:], waits=False) == FILES[2]


def test_every_file_runs_once_and_each_process_begins_with_its_kind(tmp_path):
    log = tmp_path / "log"
    (tmp_path / "conftest.py").write_text(CONFTEST)
    for file in FILES:
        path = tmp_path / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(TEST.format(log=str(log), file=file))

    words = ["-n", "2", "--dist", "loadfile", "--no-loadscope-reorder"]
    words += ["-p", "no:django", "-p", "no:hypothesispytest", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *words, "--rootdir", str(tmp_path), "tests"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    runs = [line.split() for line in log.read_text().splitlines()]
    assert sorted(file for _, file in runs) == FILES
    first = {worker: file for worker, file in reversed(runs)}
    assert first["gw0"].startswith("tests/browser/")
    assert first["gw1"].startswith(("tests/realtime/", "tests/system/"))
