"""The recipe of CONTRIBUTING.md, "Add a live topic", applied to a copy of the shop."""

import re
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.pages import expect_no_reload, mark
from tests.support.factories import make_variant
from tests.support.servers import Daphne

ROOT = Path(__file__).resolve().parent.parent.parent
HEADING = "## Add a live topic\n"
LINES = 30
STEP = re.compile(r"^(\d)\. (.*?)\n   ```\w+\n(.*?)^   ```$", re.M | re.S)
# Compiled code is copied: it is still good.
NOT_COPIED = {".git", ".venv", ".local", "node_modules", "products/demo/pictures"}


def not_copied(folder: str, names: list[str]) -> list[str]:
    """The names in a folder that the copy does without."""
    inside = Path(folder).relative_to(ROOT)
    return [name for name in names if (inside / name).as_posix() in NOT_COPIED]


def section() -> str:
    """The text of the recipe."""
    text = (ROOT / "CONTRIBUTING.md").read_text()
    return text.split(HEADING)[1].split("\n## ")[0]


def apply(step: str, code: str, shop: Path) -> None:
    """Do what one step says: create a file, or add to one, at its end or after a line.

    Raises `AssertionError` if the step names a line that is not there once.
    """
    code = textwrap.indent(textwrap.dedent(code), indent_of(code)[3:])
    path = shop / re.search(r"`([\w/.]+\.(?:py|html))`", step)[1]
    if "Create" in step:
        path.write_text(code)
        return
    text = path.read_text()
    if name := re.search(r"import `(\w+)`", step):
        text = after(text, "from products.live.loaders import (", f"    {name[1]},\n")
    if "At the end" in step:
        text += f"\n\n{code}"
    else:
        text = after(text, re.search(r"after `(.+)`", step)[1], code)
    path.write_text(text)


def indent_of(code: str) -> str:
    return re.match(" *", code)[0]


def after(text: str, line: str, code: str) -> str:
    """`text` with `code` after the line that ends with `line`."""
    before, middle, rest = text.partition(f"{line}\n")
    assert middle and line not in rest, f"{line!r} is not there once"
    return before + middle + code + rest


# Runs a module out of another folder than that of the tests.
RUN_THERE = """
import os, runpy, sys
_, folder, _, module, *words = sys.argv
os.chdir(folder)
sys.path.insert(0, folder)
sys.argv = [module, *words]
runpy.run_module(module, run_name="__main__", alter_sys=True)
"""


class ShopOfTheRecipe(Daphne):
    """The shop whose code is in `code`."""

    code: Path

    def command(self) -> list[str]:
        python, *words = super().command()
        return [python, "-c", RUN_THERE, str(self.code), *words]


@pytest.fixture(scope="module")
def copy(tmp_path_factory) -> Path:
    """The repository with the recipe's steps applied."""
    shop = tmp_path_factory.mktemp("recipe") / "shop"
    shutil.copytree(ROOT, shop, ignore=not_copied)
    steps = STEP.findall(section())
    assert [number for number, *_ in steps] == list("12345")
    for _, step, code in steps:
        apply(step, code, shop)
    return shop


@pytest.fixture(scope="module")
def shop_of_the_recipe(copy, make_daphne) -> Daphne:
    """Without audits and heartbeats: only pushes move its pages."""
    kind = type("ShopOfTheRecipe", (ShopOfTheRecipe,), {"code": copy})
    return make_daphne(kind, LIVE_AUDIT_S="600", LIVE_HEARTBEAT_S="20")


def test_recipe_has_at_most_thirty_lines():
    steps = section()[section().index("1. ") :].strip()

    assert len(steps.splitlines()) <= LINES


def test_topic_of_the_recipe_moves_on_an_open_page(visit, daphne, shop_of_the_recipe):
    lamp = make_variant(name="Lamp", on_hand=7)
    page = visit(lamp.get_absolute_url(), at=shop_of_the_recipe)
    reserved = page.locator(f'[data-topic="reserved:{lamp.pk}"]')
    expect(reserved).to_have_text("reserved: 0")
    mark(page)

    visit("/checkout/", at=shop_of_the_recipe, basket={lamp: 2})

    expect(reserved).to_have_text("reserved: 2")
    expect_no_reload(page)


def test_structure_of_the_shop_of_the_recipe_is_as_it_must_be(copy):
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-n", "0", "tests/test_structure.py"],
        cwd=copy,
        capture_output=True,
        text=True,
    )

    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
