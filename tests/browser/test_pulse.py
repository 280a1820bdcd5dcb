"""The pulse page in real browsers: it moves by itself; without a script it stands."""

import re
from collections.abc import Callable

import pytest
from django.contrib.auth.models import Permission
from playwright.sync_api import Page, expect

from tests.browser.looks import expect_good_in_all_looks
from tests.browser.pages import bring_session, expect_no_reload, mark, wait_until_live
from tests.factories import make_user

PULSE = "/staff/pulse/"
FRAGMENT = "**/*fragment=1"
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


def vital(page: Page, key: str):
    return page.locator(f'[data-vital="{key}"]').first


def test_pulse_shows_a_socket_that_opens_without_a_reload(pulse, visit):
    page = pulse()
    value = vital(page, "sockets").locator(".vital__value")
    expect(value).not_to_have_text("0", timeout=LATER_MS)
    before = int(value.text_content())
    mark(page)

    visit("/")

    expect(value).to_have_text(str(before + 1), timeout=LATER_MS)
    expect(vital(page, "sockets")).to_contain_text("personal")
    expect_no_reload(page)


def test_pulse_draws_lines_as_time_passes(pulse):
    page = pulse()

    drawn = vital(page, "loop").locator("svg path").last

    expect(drawn).to_have_attribute("d", re.compile("L"), timeout=LATER_MS)
    expect(vital(page, "loop").locator(".vital__value")).to_contain_text("ms")
    expect(vital(page, "redis").locator(".vital__value")).to_contain_text("ms")


def test_pulse_that_is_paused_by_key_asks_no_more_until_it_goes_on(pulse):
    page = pulse(prepare=lambda page: page.clock.install())
    button = page.get_by_role("button", name="Pause")
    with page.expect_response(FRAGMENT, timeout=LATER_MS):
        pass
    button.press("Enter")
    expect(button).to_have_attribute("aria-pressed", "true")
    asked = []
    page.on("request", lambda request: asked.append(request.url))

    page.clock.run_for(10_000)
    assert [url for url in asked if "fragment" in url] == []

    with page.expect_response(FRAGMENT, timeout=LATER_MS):
        button.press("Enter")


def test_pulse_of_two_processes_in_turn_has_a_part_for_each(pulse):
    page = pulse()
    turns = iter(range(1_000))

    def answer(route) -> None:
        response = route.fetch()
        number = "other" if next(turns) % 2 else "one"
        body = re.sub(r"process-[\w-]+?(?=-name|\")", number, response.text())
        route.fulfill(response=response, body=body)

    page.route(FRAGMENT, answer)

    for name in ("one", "other"):
        expect(page.locator(f"#{name}[data-process]")).to_have_count(
            1, timeout=LATER_MS
        )


def test_pulse_of_a_server_that_is_silent_says_that_it_is_old(pulse, complaints):
    complaints.forgive()
    page = pulse(prepare=lambda page: page.clock.install())
    expect(page.locator("#pulse-silent")).to_be_hidden()

    page.route(FRAGMENT, lambda route: route.abort())
    page.clock.fast_forward(20_000)
    expect(page.locator("#pulse-silent")).to_be_visible(timeout=LATER_MS)

    page.unroute(FRAGMENT)
    expect(page.locator("#pulse-silent")).to_be_hidden(timeout=LATER_MS)


def test_pulse_that_is_refused_lets_the_server_say_why(pulse, complaints):
    complaints.forgive()
    page = pulse()

    with page.expect_navigation(timeout=LATER_MS):
        page.route(FRAGMENT, lambda route: route.fulfill(status=403))


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
