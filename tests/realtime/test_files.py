"""Limits of open files, and who gets them."""

import resource
import subprocess
import sys

import pytest

from realtime import file_budget, files

RAISED = "from realtime import files; files.raise_limit(); print(files.limit())"


class System:
    """A system's two calls. `most` is what it takes, whatever its hard limit says."""

    def __init__(self, soft: int, hard: int, most: int) -> None:
        self.soft, self.hard, self.most = soft, hard, most
        self.asked = 0

    def getrlimit(self, what: int) -> tuple[int, int]:
        return self.soft, self.hard

    def setrlimit(self, what: int, limits: tuple[int, int]) -> None:
        self.asked += 1
        if limits[0] > self.most:
            raise ValueError("current limit exceeds maximum limit")
        self.soft, self.hard = limits


@pytest.fixture
def run_on(monkeypatch):
    def run_on(system: System) -> System:
        monkeypatch.setattr(resource, "getrlimit", system.getrlimit)
        monkeypatch.setattr(resource, "setrlimit", system.setrlimit)
        return system

    return run_on


@pytest.mark.parametrize(
    "soft, hard, most, limit",
    [
        (256, 1024, 1024, 1024),
        (256, resource.RLIM_INFINITY, 10_240, 10_240),  # as macOS has it
        (256, resource.RLIM_INFINITY, 2**63, files.HIGHEST),
        (1024, 2**30, 2**30, files.HIGHEST),
        (1024, 4096, 0, 1024),  # a sandbox that forbids it
        (4096, 4096, 4096, 4096),
        (2**30, 2**30, 2**30, 2**30),
        (resource.RLIM_INFINITY, resource.RLIM_INFINITY, 0, files.HIGHEST),
    ],
)
def test_limit_is_raised_as_far_as_the_system_allows(run_on, soft, hard, most, limit):
    system = run_on(System(soft, hard, most))

    files.raise_limit()

    assert files.limit() == limit
    assert system.hard == hard
    assert system.asked <= 21


def test_limit_of_a_real_process_is_raised_to_the_hard_limit():
    lowered = f'ulimit -Sn 100; ulimit -Hn 300; exec "{sys.executable}" -c "{RAISED}"'

    assert subprocess.check_output(["sh", "-c", lowered], text=True) == "300\n"


@pytest.fixture
def share(monkeypatch, settings):
    """How many sockets, pages and files of its own a process has under a limit."""

    def share(limit: int) -> tuple[int, int, int]:
        monkeypatch.setattr(file_budget, "_limit", lambda: limit)
        return file_budget.sockets(), file_budget.pages(), file_budget.own()

    return share


@pytest.mark.parametrize("limit", [256, 1024, 4096, 20_000])
def test_sockets_leave_files_for_pages_and_the_process_itself(share, limit):
    sockets, pages, own = share(limit)

    assert sockets + pages + own == limit
    assert pages >= (limit - own) // 4 or pages == 3004
    assert sockets > limit / 4


def test_sockets_are_limited_by_the_setting_if_there_are_files(share, settings):
    sockets, pages, own = share(65_536)

    assert sockets == settings.LIVE["SOCKETS"]
    assert sockets + pages + own < 65_536


def test_threads_and_uploads_take_files_from_sockets(share, settings):
    before, *_ = share(1024)
    settings.HTTP_THREADS += 10
    fewer, *_ = share(1024)
    settings.HTTP = settings.HTTP | {"BODIES_BYTES": 2 * settings.HTTP["BODIES_BYTES"]}
    fewest, *_ = share(1024)

    assert before > fewer > fewest
