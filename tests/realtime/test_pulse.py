"""What is kept of the metrics for the pulse page."""

import os

import pytest
from django.contrib.auth.models import Permission
from django.core.cache import cache

from products.live.registry import registry
from realtime import metrics, pulse, roles
from realtime.pulse import Sample
from tests.support.factories import make_user
from tests.support.page import Page
from tests.support.servers import wait_until
from tests.support.sockets import Socket, session_of

SOON_S = 20


def buckets(*counts: float) -> pulse.Buckets:
    """Up to 0.1 s, up to 1 s, longer: cumulative, as Prometheus counts."""
    return tuple(zip((0.1, 1.0, float("inf")), counts, strict=True))


def sample(at: float, counts: pulse.Buckets = buckets(0, 0, 0), **sums) -> Sample:
    return Sample(at, sums, {"tick": counts})


@pytest.fixture(autouse=True)
def _nothing_noted_before(monkeypatch):
    monkeypatch.setattr(pulse, "_samples", ())
    monkeypatch.setattr(pulse, "_others", (0.0, []))
    cache.delete(pulse.SHARED)


@pytest.mark.parametrize(
    "share, counts, seconds",
    [
        (0.5, (10, 10, 10), 0.05),
        (0.5, (0, 10, 10), 0.55),
        (0.99, (98, 100, 100), 0.55),
        (0.99, (0, 0, 10), 1.0),  # longer than all buckets: at least the last one
        (0.99, (0, 0, 0), None),
    ],
)
def test_quantile_of_the_times_between_two_samples(share, counts, seconds):
    older = sample(0, buckets(7, 8, 9))
    added = [n + m for n, m in zip((7, 8, 9), counts, strict=True)]

    value = pulse.quantile("tick", share, older, sample(2, buckets(*added)))

    assert value == (seconds if seconds is None else pytest.approx(seconds))


def test_rates_are_per_second_or_unknown():
    noted = (sample(0, frames=5), sample(2, frames=25), sample(3, frames=25))

    assert pulse.rates("frames", noted) == [10, 0]
    assert pulse.rates("cpu", noted) == [None, None]


def test_rate_between_close_samples_is_unknown():
    """The system's clock has gone on by a hundredth, which would be 1,000 %."""
    older, newer = sample(0, cpu=1.00), sample(0.001, cpu=1.01)

    assert pulse.rate("cpu", older, newer) is None


def test_sample_has_the_sums_over_all_labels():
    pulse.note()
    metrics.REFUSALS.labels("pulse-a").inc(2)
    metrics.REFUSALS.labels("pulse-b").inc()
    metrics.TICK.observe(0.02)

    pulse.note()

    older, newer = pulse.samples()
    assert newer.sums["refusals"] - older.sums["refusals"] == 3
    assert 0.01 < pulse.quantile("tick", 0.99, older, newer) <= 0.025


def test_samples_of_two_minutes_are_kept():
    for _ in range(3 * pulse.MAX_SAMPLES):
        pulse.note()

    assert len(pulse.samples()) == pulse.MAX_SAMPLES


def test_sample_is_taken_on_demand_before_the_first_socket():
    (only,) = pulse.samples()

    assert set(pulse.SUMS) <= set(only.sums)
    assert set(only.times) == set(pulse.TIMES)


@pytest.mark.django_db(transaction=True)
def test_running_hub_takes_samples_without_a_viewer(hub, monkeypatch):
    monkeypatch.setattr(pulse, "EVERY_S", 0.01)

    wait_until(lambda: len(pulse._samples) > 2, "notes", SOON_S)


@pytest.fixture
def open_pages(hub, loop, transactional_db):
    """So many pulse pages of somebody who may see orders."""
    sockets = []

    def open_them(count: int) -> list[Socket]:
        clerk = make_user(is_staff=True)
        clerk.user_permissions.set(Permission.objects.filter(codename="view_order"))
        cookie = session_of(clerk)
        for _ in range(count):
            sockets.append(Socket(loop, Page({"pulse": -1}), cookie))
            sockets[-1].watch(html="en")
        return sockets

    yield open_them
    for socket in sockets:
        socket.close()


def test_pulse_is_rendered_once_for_all_viewers(open_pages, monkeypatch):
    monkeypatch.setattr(pulse, "EVERY_S", 0.2)
    pages = open_pages(6)
    renders = []
    render = registry.render
    monkeypatch.setattr(
        registry, "render", lambda *arguments: renders.append(1) or render(*arguments)
    )
    shown = [page.page.shown["pulse"] for page in pages]

    for page, version in zip(pages, shown, strict=True):
        page.shows("pulse", version + 1)

    assert f"{os.getpid()}</span>" in pages[0].page.html["pulse"]
    pushes = {page.page.shown["pulse"] for page in pages}
    assert len(renders) <= len(pushes) + 1


def test_pulse_without_a_viewer_is_not_loaded(hub, loop, db, monkeypatch):
    monkeypatch.setattr(pulse, "EVERY_S", 0.01)
    loaded = []
    monkeypatch.setattr(pulse, "load_others", lambda: loaded.append(1))
    before = len(pulse._samples)

    wait_until(lambda: len(pulse._samples) > before + 5, "notes", SOON_S)

    assert loaded == []
    assert registry.pulse_key not in loop.call(lambda: hub.topics.by_key)


# --- Processes that serve one kind ------------------------------------------------


def test_page_process_shows_the_samples_of_socket_processes(
    monkeypatch,
):
    monkeypatch.setattr(roles, "_role", "sockets")
    pulse.exchange(is_watched=False)
    assert [process.pid for process in pulse.shared()] == [os.getpid()]

    pulse.share(pulse.own()._replace(pid=1, host="elsewhere"))
    monkeypatch.setattr(roles, "_role", "pages")
    pulse.load_others()
    assert {process.pid for process in pulse.everybody()} == {1, os.getpid()}


def test_socket_process_shows_its_own_samples_and_those_of_others():
    pulse.share(pulse.own()._replace(pid=1, host="elsewhere"))
    assert [process.pid for process in pulse.everybody()] == [os.getpid()]

    pulse.exchange(is_watched=True)

    assert {process.pid for process in pulse.everybody()} == {1, os.getpid()}


def test_old_samples_of_others_are_not_shown(monkeypatch):
    pulse.share(pulse.own()._replace(pid=1))
    pulse.load_others()
    assert len(pulse.everybody()) == 2

    asked_at, others = pulse._others
    monkeypatch.setattr(pulse, "_others", (asked_at - pulse.SHARED_S - 1, others))

    assert [process.pid for process in pulse.everybody()] == [os.getpid()]


def test_process_that_has_ended_is_not_shown(monkeypatch):
    pulse.share(pulse.own()._replace(pid=1))
    monkeypatch.setattr(roles, "_role", "pages")
    pulse.load_others()
    assert [process.pid for process in pulse.everybody()] == [1]

    monkeypatch.setattr(pulse, "SHARED_S", 0)
    pulse.load_others()
    assert [process.pid for process in pulse.everybody()] == [os.getpid()]


def test_processes_of_a_machine_share_its_processors(monkeypatch):
    monkeypatch.setattr(pulse, "PROCESSORS", 2)
    monkeypatch.setattr(pulse, "_siblings", 1)
    process = pulse.own()
    assert pulse.processor_share() == 1
    monkeypatch.setattr(pulse, "_siblings", 2)
    assert pulse.processor_share() == 1

    for pid in range(1, 8):
        pulse.share(process._replace(pid=pid))
    pulse.share(process._replace(host="elsewhere"))
    pulse.share(process)

    assert pulse.processor_share() == 2 / 9  # the last part is for other programs
