"""The pulse page: who sees it, and what it says of the process that answers."""

import os
import re

import pytest
from django.contrib.auth.models import Permission
from django.core.cache import cache

from products.staff import vitals as page
from realtime import metrics, pulse, roles
from tests.support.factories import make_user

pytestmark = pytest.mark.django_db

PULSE = "/staff/pulse/"


@pytest.fixture(autouse=True)
def _nothing_noted_before(monkeypatch):
    monkeypatch.setattr(pulse, "_samples", ())
    monkeypatch.setattr(pulse, "_others", (0.0, []))
    cache.delete(pulse.SHARED)


@pytest.fixture
def degraded():
    """Redis is away, as a hub says it."""
    metrics.DEGRADED.set_function(lambda: 1)
    yield
    metrics.DEGRADED.set_function(lambda: 0)


@pytest.fixture
def clerk(client) -> None:
    user = make_user(is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename="view_order"))
    client.force_login(user)


def vital(html: str, key: str) -> str:
    """The text of one card, and whether it is marked."""
    pattern = rf'<div class="([^"]+)" data-vital="{key}">(.*?)</div>'
    classes, inside = re.search(pattern, html, re.S).groups()
    text = " ".join(re.sub(r"<[^>]+>", " ", inside).split())
    return f"{text} !" if "vital--high" in classes else text


def test_pulse_shows_the_process_that_answered_and_its_numbers(client, clerk):
    response = client.get(PULSE)

    assert f'Process <span class="pulse__pid">{os.getpid()}</span>' in response.text
    (part,) = response.context["parts"]
    cards = part.cards
    assert [card.key for card in cards] == [
        *("sockets", "push", "loop", "tick", "frames"),
        *("slow", "refusals", "redis", "cpu", "memory"),
    ]
    assert "B" in vital(response.text, "memory")  # KB, MB, GB


def test_pulse_of_two_processes_has_a_part_for_each(client, clerk):
    pulse.share(pulse.own()._replace(pid=1, host="elsewhere"))

    text = client.get(PULSE).text

    assert 'Process <span class="pulse__pid">1</span> on elsewhere' in text
    assert f'Process <span class="pulse__pid">{os.getpid()}</span>' in text


def test_pulse_is_never_kept(client, clerk):
    assert "no-store" in client.get(PULSE)["Cache-Control"]


def test_pulse_of_staff_without_the_right_is_refused(client):
    client.force_login(make_user(is_staff=True))

    assert client.get(PULSE).status_code == 403


def test_pulse_of_a_quiet_process_marks_nothing(client, clerk):
    pulse.note()
    pulse.note()

    text = client.get(PULSE).text

    assert vital(text, "push") == "Push lag, p99 – from commit to write"
    assert vital(text, "refusals").startswith("Refusals 0 in the last 2 minutes")
    assert "vital--high" not in text
    assert "Redis is down" not in text


def test_pulse_marks_in_words_what_needs_attention(client, clerk, degraded):
    pulse.note()
    for _ in range(100):
        metrics.PUSH_LAG.observe(0.8)
    metrics.REFUSALS.labels("pulse-test").inc(1234)
    pulse.note()

    text = client.get(PULSE).text

    assert re.match(
        r"Push lag, p99 check 99\d ms median \d{3} ms, .* !$", vital(text, "push")
    )
    assert vital(text, "refusals").startswith(
        "Refusals check 1,234 in the last 2 minutes"
    )
    assert vital(text, "redis").startswith("Redis and back check away")
    assert "Redis is down. We’re checking the database every second" in text


def test_processor_that_was_busy_for_half_a_minute_is_marked():
    def noted(*spent: float) -> tuple[pulse.Sample, ...]:
        return tuple(
            pulse.samples()[0]._replace(at=2 * number, sums={"cpu": seconds})
            for number, seconds in enumerate(spent)
        )

    busy, calm = page._cpu(noted(0, 1.9, 3.8)), page._cpu(noted(0, 2, 2))

    assert (busy.value, busy.is_high) == ("95 %", True)
    assert (calm.value, calm.is_high) == ("50 %", False)  # of the whole, not of a part


def test_pulse_has_no_style_or_script_that_the_policy_forbids(client, clerk):
    pulse.note()
    pulse.note()

    text = client.get(PULSE).text

    assert "style=" not in text
    assert not re.search(r"<script(?![^>]* src=)", text)


# --- Drawings ---------------------------------------------------------------------


def card(*line: float | None, limit: float | None = None) -> page.Card:
    return page.Card("key", "Title", "1", "", list(line), limit)


def heights(path: str) -> list[float]:
    return [float(y) for y in re.findall(r"[ML][\d.]+ ([\d.]+)", path)]


def test_path_ends_at_the_right_edge_and_reaches_the_top():
    path = card(0, 5, 10).path

    assert path.startswith("M116.0 30.5h0L118.0 16.0")
    assert path.endswith("L120.0 1.5")


def test_path_of_what_is_not_known_has_a_gap():
    assert card(1, None, 1).path.count("M") == 2
    assert card(None, None).path == ""


def test_path_of_a_full_line_begins_at_the_left_edge():
    assert card(*[1] * pulse.MAX_SAMPLES).path.startswith("M0.0 ")


def test_small_noise_stays_small_below_a_limit():
    noisy, calm = card(1, 2), card(1, 2, limit=100)

    assert min(heights(noisy.path)) == 1.5
    assert min(heights(calm.path)) > 29
    assert calm.limit_height == ""


def test_limit_is_drawn_once_the_line_comes_near():
    assert card(60, limit=100).limit_height != ""
    assert card(200, limit=100).limit_height == "16.0"


def test_pulse_of_a_process_without_sockets_is_that_of_one_with_sockets(
    client, clerk, monkeypatch
):
    other = pulse.own()._replace(
        pid=1, host="elsewhere", kinds={"public": 1200, "personal": 34}
    )
    pulse.share(other)
    monkeypatch.setattr(roles, "_role", "pages")

    text = client.get(PULSE).text

    assert 'Process <span class="pulse__pid">1</span> on elsewhere' in text
    assert "1,200 public, 34 personal" in vital(text, "sockets")
