"""Whether a page is good to look at and to use, at any width, light and dark."""

from urllib.parse import urlsplit

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from tests.browser.pages import wait_until_live

PHONE, DESK = {"width": 390, "height": 844}, {"width": 1280, "height": 900}


def axe_finds(page: Page) -> list[str]:
    """What axe has against the page as it is shown now."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(Axe().axe_script)
    # `Axe.run` would bring the rest of what it found too: twice the time.
    command = "axe.run({resultTypes: ['violations']}).then((all) => all.violations)"
    violations = page.evaluate(command)
    return [
        f"{rule['id']} ({rule['impact']}): {node['html'][:200]}"
        for rule in violations
        for node in rule["nodes"]
    ]


def overflow(page: Page) -> int:
    """Pixels by which the page is wider than its window."""
    root = "document.documentElement"
    return page.evaluate(f"{root}.scrollWidth - {root}.clientWidth")


def finish_animations(page: Page) -> None:
    page.evaluate("document.getAnimations().forEach((each) => each.finish())")


# The layout depends on the width and the palette on the scheme, but neither on the
# other: two looks see each of both once.
LOOKS = [("light", PHONE), ("dark", DESK)]


def expect_good_in_all_looks(page: Page) -> None:
    faults = faults_in_all_looks(page)
    assert not faults, faults


def expect_each_good_in_all_looks(page: Page, paths: dict[str, str]) -> None:
    """One visitor opens page after page, which costs half of what new visitors cost."""
    faults = {}
    for name, path in paths.items():
        page.goto(path)
        wait_until_live(page)
        assert urlsplit(page.url).path == urlsplit(path).path, name
        faults |= {(name, *key): it for key, it in faults_in_all_looks(page).items()}
    assert not faults, faults


def faults_in_all_looks(page: Page) -> dict[tuple[str, int], list[str]]:
    """What is wrong with the page, by scheme and width. Looks without a fault are left
    out."""
    faults = {}
    for scheme, size in LOOKS:
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        page.set_viewport_size(size)
        finish_animations(page)
        look = scheme, size["width"]
        faults[look] = axe_finds(page)
        if overflow(page) > 0:
            faults[look].append(f"{overflow(page)} px too wide")
    return {look: found for look, found in faults.items() if found}


# In: nothing. Out: what is wrong with how fields say what is wrong with them.
UNTIED = """() => {
    const faults = [];
    const wrong = [...document.querySelectorAll("[aria-invalid=true]")];
    const shown = [...document.querySelectorAll(".field__error")];
    if (!wrong.length || wrong.length !== shown.length) {
        faults.push(`${wrong.length} wrong fields, ${shown.length} errors`);
    }
    for (const field of wrong) {
        const ids = (field.getAttribute("aria-describedby") || "").split(" ");
        const texts = ids.map((id) => document.getElementById(id));
        if (texts.some((text) => !text)) {
            faults.push(`${field.name}: no element for one of ${ids}`);
        } else if (!texts.some((text) => text.matches(".field__error"))) {
            faults.push(`${field.name}: its error is not told`);
        } else if (!field.closest(".field").contains(texts.at(-1))) {
            faults.push(`${field.name}: its error is somewhere else`);
        }
    }
    return faults;
}"""


def expect_errors_beside_their_fields(page: Page, *names: str) -> None:
    """Fields of these names are wrong, no others, and tell it to screen readers."""
    wrong = page.locator("[aria-invalid=true]")
    assert wrong.evaluate_all("all => all.map((field) => field.name)") == list(names)
    assert page.evaluate(UNTIED) == []


def focus_marks(page: Page) -> dict[str, bool]:
    """Tab through the page's main part: what got the focus, and whether one sees it."""
    page.locator("#main").focus()
    marks: dict[str, bool] = {}
    for _ in range(60):
        page.keyboard.press("Tab")
        what, is_inside, is_seen = page.evaluate("""() => {
            const here = document.activeElement;
            const style = getComputedStyle(here);
            const box = here.getBoundingClientRect();
            const what = `${here.localName} ${here.name || here.textContent.trim()}`;
            return [
                what,
                document.getElementById("main").contains(here),
                style.outlineStyle === "solid" && parseFloat(style.outlineWidth) >= 2
                    && box.width > 8 && box.height > 8,
            ];
        }""")
        if not is_inside:
            break
        marks[what] = is_seen
    return marks
