"""The pulse page in real browsers: it moves by itself; without a script it stands."""

import re
import time
from collections.abc import Callable

import pytest
from django.contrib.auth.models import Permission
from playwright.sync_api import Page, expect

from tests.browser.looks import expect_good_in_all_looks
from tests.browser.pages import bring_session, expect_no_reload, mark, wait_until_live
from tests.browser.test_outages import Gate
from tests.support.factories import make_user

PULSE = "/staff/pulse/"
LATER_MS = 20_000  # some questions, on a machine with much else to do

VisitAs = Callable[..., Page]


@pytest.fixture
def pulse(visit, daphne) -> VisitAs:
    """`pulse()`: the page, as staff see it."""
    clerk = make_user(is_staff=True)
    clerk.user_permissions.set(Permission.objects.filter(codename="view_order"))

    def open_page(**options) -> Page:
        page = visit("/robots.txt", live=False, **options)
        bring_session(page.context, daphne.url, clerk)
        page.goto(PULSE)
        if options.get("java_script_enabled", True):
            wait_until_live(page)
        return page

    return open_page


def listen(page: Page, heard: list[str]) -> None:
    """Note the pushes of the pulse that come over the page's socket."""

    def hear(text: str) -> None:
        if '["pulse",' in text:
            heard.append(text)

    page.on("websocket", lambda socket: socket.on("framereceived", hear))


def until_heard(page: Page, heard: list[str]) -> None:
    count, end = len(heard), time.monotonic() + LATER_MS / 1000
    while len(heard) == count:
        assert time.monotonic() < end, "nothing was pushed"
        page.wait_for_timeout(50)


def vital(page: Page, key: str):
    return page.locator(f'[data-vital="{key}"]').first


def test_pulse_shows_a_socket_that_opens_without_a_reload(pulse, visit, daphne):
    page = pulse()
    # Other tests may have left other processes running.
    process = page.locator(f'[data-process][id$="-{daphne.pid}"]')
    sockets = process.locator('[data-vital="sockets"]')
    value = sockets.locator(".vital__value")
    expect(value).not_to_have_text("0", timeout=LATER_MS)
    before = int(value.text_content())
    mark(page)

    visit("/")

    expect(value).to_have_text(str(before + 1), timeout=LATER_MS)
    expect(sockets).to_contain_text("personal")
    expect_no_reload(page)


def test_pulse_draws_lines_as_time_passes(pulse):
    page = pulse()

    drawn = vital(page, "loop").locator("svg path").last

    expect(drawn).to_have_attribute("d", re.compile("L"), timeout=LATER_MS)
    expect(vital(page, "loop").locator(".vital__value")).to_contain_text("ms")
    expect(vital(page, "redis").locator(".vital__value")).to_contain_text("ms")


def test_pulse_that_is_paused_by_key_is_sent_nothing_until_it_goes_on(pulse):
    heard: list[str] = []
    page = pulse(prepare=lambda page: listen(page, heard))
    expect(vital(page, "loop")).to_be_visible()
    until_heard(page, heard)
    button = page.get_by_role("button", name="Pause")
    button.press("Enter")
    expect(button).to_have_attribute("aria-pressed", "true")
    page.wait_for_timeout(1_500)  # the page asks for less
    heard.clear()

    page.wait_for_timeout(5_000)
    assert heard == []
    expect(page.locator("#pulse-silent")).to_be_hidden()

    button.press("Enter")
    until_heard(page, heard)
    expect(button).to_have_attribute("aria-pressed", "false")


def test_pulse_pages_that_are_open_ask_for_nothing_over_http(pulse):
    page = pulse()
    requests, heard = [], []
    page.on("request", lambda request: requests.append(request.url))
    other = pulse(prepare=lambda page: listen(page, heard))

    until_heard(other, heard)

    assert requests == []


def test_pulse_of_a_server_that_is_silent_says_that_it_is_old(pulse, complaints):
    complaints.forgive()
    gate = Gate()
    page = pulse(prepare=gate.guard_by_the_clock)
    expect(page.locator("#pulse-silent")).to_be_hidden()

    gate.silence()
    page.clock.fast_forward(20_000)
    expect(page.locator("#pulse-silent")).to_be_visible(timeout=LATER_MS)

    gate.silenced = 0
    expect(page.locator("#pulse-silent")).to_be_hidden(timeout=LATER_MS)


def test_pulse_without_a_script_shows_numbers_and_a_way_to_fresh_ones(pulse):
    page = pulse(java_script_enabled=False)

    expect(vital(page, "memory").locator(".vital__value")).to_contain_text("B")
    expect(page.get_by_role("button", name="Pause")).to_be_hidden()
    page.get_by_role("link", name="Refresh").click()

    expect(page.get_by_role("heading", name="Pulse", exact=True)).to_be_visible()


def test_pulse_is_found_in_the_navigation_by_key(pulse):
    page = pulse()

    link = page.get_by_role("link", name="Pulse", exact=True)

    expect(link).to_have_attribute("aria-current", "page")
    link.focus()
    with page.expect_navigation():
        page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(f"{PULSE}$"))


def test_pulse_looks_good_on_a_phone_and_a_desk_light_and_dark(pulse):
    page = pulse()
    expect(vital(page, "loop").locator("svg path").last).to_have_attribute(
        "d", re.compile("L"), timeout=LATER_MS
    )

    expect_good_in_all_looks(page)


def test_pulse_that_marks_something_is_readable_and_fits(pulse):
    page = pulse()
    page.get_by_role("button", name="Pause").click()
    page.evaluate("""() => { // as templates/staff/_pulse.html has it
        const card = document.querySelector("[data-vital=slow]");
        card.classList.add("vital--high");
        const mark = document.createElement("span");
        mark.className = "vital__high";
        mark.textContent = "look";
        card.querySelector("dt").append(" ", mark);
    }""")

    expect_good_in_all_looks(page)
