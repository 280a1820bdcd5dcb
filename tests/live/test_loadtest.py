"""The load test against a real shop; and that each of its gates can fail."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from django.db.models import F

from products.models import Order, Product, Stock
from products.services import stock
from realtime.loadtest.gates import Verdict
from tests.factories import make_category, make_product
from tests.servers import Shop

ROOT = Path(__file__).resolve().parent.parent.parent
MODULE = [sys.executable, "-m", "realtime.loadtest"]
COMMAND = [sys.executable, "manage.py", "loadtest"]
LIMIT_S = 300
BRIEF = ["--sockets", "12", "--rate", "40", "--changes", "8", "--buyers", "2"]


@pytest.fixture
def products(transactional_db) -> list[Product]:
    category = make_category()
    return [make_product(on_hand=50, category=category) for _ in range(6)]


@pytest.fixture
def shop(products, redis, serve) -> Shop:
    """One whose audit finds nothing for us: what is right was pushed."""
    return serve(redis, LIVE_AUDIT_S="3600")


def load(
    shop: Shop,
    folder: Path,
    *flags: str,
    program: list[str] = MODULE,
    meanwhile: Callable[[], None] | None = None,
) -> tuple[int, dict, str]:
    """Exit code, figures, what was printed. `meanwhile` is done when all is quiet,
    before what sockets show is held against the pages."""
    figures = folder / "figures.json"
    command = [*program, "--url", shop.url, *BRIEF, "--json", str(figures), *flags]
    test = subprocess.Popen(
        command,
        cwd=ROOT,
        env=shop.environment() if program is COMMAND else None,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        said = ""
        if meanwhile is not None:
            for line in test.stderr:
                said += line
                if line.startswith("phase drain"):
                    meanwhile()
                    break
        out, err = test.communicate(timeout=LIMIT_S)
    finally:
        test.kill()
        test.wait()
    told = json.loads(figures.read_text()) if figures.exists() else {}
    return test.returncode, told, out + said + err


def test_loadtest_of_a_sound_shop_passes_and_measures(shop, tmp_path):
    report, table = tmp_path / "report.html", tmp_path / "seconds.csv"
    files = ["--html", str(report), "--csv", str(table)]

    code, told, said = load(
        shop, tmp_path, "--duration", "6", "--expect", "push_p99<60s", *files
    )

    figures = told["figures"]
    assert code == 0, said
    assert told["verdict"] == "passed"
    assert figures["stale"] == figures["gaps"] == figures["unexpected_closes"] == 0
    assert figures["failed_handshakes"] == figures["failed_requests"] == 0
    assert figures["sockets"] == 12
    assert figures["handshakes"] == 24, "once, and once more after the storm"
    assert figures["pushes"] >= figures["changes"] > 0
    assert figures["orders"] == Order.objects.count() > 0
    assert figures["push_p50"] <= figures["push_p99"] <= figures["push_max"]
    assert figures["server_memory_mb"] > 10
    assert told["closes"] == {"1000": 12}
    assert [phase["name"] for phase in told["phases"]] == told["options"]["phases"]
    html = report.read_text()
    assert html.count("<figure>") >= 4
    assert "http-equiv" not in html and "<script" not in html and "<link" not in html
    assert table.read_text().startswith("second,push_count,push_p50,push_p99")


def test_loadtest_that_is_too_slow_for_what_is_expected_exits_with_its_own_code(
    shop, tmp_path
):
    flags = ["--duration", "2", "--phases", "fanout", "--expect", "push_p50<0.001us"]
    flags += ["--quiet", "1"]

    code, told, said = load(shop, tmp_path, *flags)

    assert code == Verdict.TOO_SLOW, said
    assert "push_p50 is" in told["sentences"][0]


def spoil_versions() -> None:
    """A change that nobody is told of."""
    Stock.objects.update(version=F("version") + 1)


def spoil_units() -> None:
    """Units that come from nowhere, and are told of."""
    for product in Product.objects.all():
        stock.receive(product.pk, 3)


def lose_orders() -> None:
    for order in Order.objects.all():
        Order.objects.filter(pk=order.pk).update(number=f"X{order.pk:07d}")


@pytest.mark.parametrize(
    "spoil, complaint",
    [
        (spoil_versions, "Sockets are stale after it was quiet"),
        (spoil_units, "does not add up"),
        (lose_orders, "Orders were confirmed and are lost"),
    ],
)
def test_loadtest_of_a_shop_that_is_wrong_says_what_and_exits_with_its_own_code(
    shop, tmp_path, spoil, complaint
):
    flags = ["--duration", "3", "--phases", "shopping", "--quiet", "5"]

    code, told, said = load(shop, tmp_path, *flags, meanwhile=spoil)

    assert code == Verdict.INCORRECT, said
    assert complaint in " ".join(told["sentences"])


def test_loadtest_command_of_a_sound_shop_checks_the_books(shop, tmp_path):
    flags = ["--duration", "3", "--phases", "shopping"]

    code, told, said = load(shop, tmp_path, *flags, program=COMMAND)

    assert code == 0, said
    assert "The books agree" in said


def test_loadtest_command_with_drifted_books_says_so(shop, products, tmp_path):
    def drift() -> None:
        Stock.objects.filter(pk=products[0].pk).update(on_hand=F("on_hand") + 1)

    flags = ["--duration", "2", "--phases", "fanout", "--shared", "--quiet", "5"]

    code, told, said = load(shop, tmp_path, *flags, program=COMMAND, meanwhile=drift)

    assert code == Verdict.INCORRECT, said
    assert "The books are not reconciled" in " ".join(told["sentences"])


def test_loadtest_without_a_shop_says_so(tmp_path):
    command = [*MODULE, "--url", "http://localhost:9", "--sockets", "1"]

    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)

    assert done.returncode == Verdict.UNREACHABLE
    assert "localhost:9" in done.stderr


def test_soak_of_a_seed_loses_nothing(shop, tmp_path):
    """Twenty seconds of everything; the same seed does the same again."""
    flags = ["--duration", "20", "--seed", "6", "--expect", "gaps<1"]

    code, told, said = load(shop, tmp_path, *flags, program=COMMAND)

    assert code == 0, said
    assert told["figures"]["memory_slope_kb_min"] is not None
    assert told["figures"]["orders"] == Order.objects.count()
