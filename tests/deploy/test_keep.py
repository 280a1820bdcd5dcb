"""A command that `make run` keeps running."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

KEEP = Path(__file__).resolve().parents[2] / "deploy" / "local" / "keep.py"


@pytest.fixture
def keep():
    """Start a kept Python script; it is ended after the test."""
    started = []

    def start(script: str) -> subprocess.Popen[str]:
        words = [sys.executable, str(KEEP), sys.executable, "-uc", script]
        process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
        started.append(process)
        return process

    yield start
    for keeper in started:
        keeper.terminate()
        keeper.communicate(timeout=10)


@pytest.mark.parametrize(
    ("script", "line"),
    [
        ("print('up'); exit(3)", "It ended (exit 3)."),
        (
            "import os; print('up'); os.kill(os.getpid(), 9)",
            "It was killed (signal 9).",
        ),
    ],
)
def test_keep_command_dies_starts_again_and_says_so(keep, script, line):
    keeper = keep(script)

    lines = [keeper.stdout.readline().strip() for _ in range(4)]

    assert lines == [
        "up",
        f"{line} Starting it again in 1 s.",
        "up",
        f"{line} Starting it again in 2 s.",
    ]


def test_keep_told_to_stop_ends_its_command_and_starts_nothing(keep):
    keeper = keep("import time; print('up'); time.sleep(60)")
    assert keeper.stdout.readline() == "up\n"

    keeper.send_signal(signal.SIGTERM)

    assert keeper.communicate(timeout=10)[0] == ""
    assert keeper.returncode == 128 + signal.SIGTERM


def test_keep_command_that_does_not_exist_ends_with_one_line():
    words = [sys.executable, str(KEEP), "no-such-command"]

    done = subprocess.run(words, capture_output=True, text=True)

    assert done.stderr == "no-such-command: No such file or directory\n"
    assert done.returncode != 0
