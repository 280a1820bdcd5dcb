"""A busy shop is saved while people buy, and restored on another server."""

import os
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import urllib.request
from collections.abc import Iterator
from http.client import HTTPException
from pathlib import Path

import pytest
from django.conf import settings
from django.utils import timezone
from post_office.models import STATUS, Email

from products.basket import holds
from products.models import Basket, Order, Refund, Variant
from products.orders import services as orders
from products.payments import refunds
from products.stock import books
from products.stock import services as stock
from tests.products.payments.test_stripe import begun, make_pending, tell
from tests.support.buyer import Buyer
from tests.support.concurrency import together
from tests.support.factories import make_picture, make_shopper, make_variant
from tests.support.http_server import serving
from tests.support.servers import Daphne, database_url, wait_until
from tests.support.shopper import Shopper
from tests.support.smtp import SmtpServer, running
from tests.support.standby import Server, writing_to
from tests.support.stripe_server import SECRET, StripeServer
from tests.support.workers import Worker

BUYERS = 6
NAME, PASSWORD = "ann.lee", "a long password 47"


@pytest.fixture
def other() -> Iterator[Server]:
    """A server that has nothing but an empty database."""
    folder = Path(tempfile.mkdtemp(prefix="shop-"))
    server = Server(folder)
    server.start()
    yield server
    server.stop()
    shutil.rmtree(folder)


@pytest.fixture
def stripe(settings) -> Iterator[StripeServer]:
    with serving(StripeServer()) as server:
        settings.STRIPE_SECRET_KEY, settings.STRIPE_WEBHOOK_SECRET = "sk_test_x", SECRET
        settings.STRIPE_API_BASE = server.url
        yield server


@pytest.fixture
def smtp() -> Iterator[SmtpServer]:
    with running() as server:
        yield server


def run(*words: str, **environment: str) -> subprocess.CompletedProcess:
    """Type a command."""
    return subprocess.run(
        words,
        env=os.environ | environment,
        cwd=settings.BASE_DIR,
        capture_output=True,
        text=True,
    )


def manage(*words: str, **environment: str) -> subprocess.CompletedProcess:
    return run(sys.executable, "manage.py", *words, **environment)


def on(stripe: StripeServer) -> dict[str, str]:
    """The environment of a shop whose cards go there."""
    return {
        "STRIPE_SECRET_KEY": "sk_test_x",
        "STRIPE_WEBHOOK_SECRET": SECRET,
        "STRIPE_API_BASE": stripe.url,
    }


class Storm:
    """People who buy, and staff who count, pack and cancel, until it is over."""

    def __init__(self, shop: Daphne, variants: list[Variant]) -> None:
        self.shop, self.products = shop, variants
        self.is_over = threading.Event()
        self.promised: set[str] = set()

    def buy(self, seed: int) -> None:
        dice = random.Random(seed)
        while not self.is_over.wait(dice.random() / 10):
            lines = {p: dice.randrange(1, 3) for p in dice.sample(self.products, 2)}
            buyer = Buyer(self.shop, lines)
            try:
                buyer.check_out()
            except (OSError, HTTPException):  # the shop is gone
                return
            if buyer.location.startswith("/orders/"):
                self.promised.add(buyer.location.split("/")[2])

    def staff(self) -> None:
        dice = random.Random(99)
        while not self.is_over.wait(0.05):
            stock.receive(dice.choice(self.products).pk, 1)
            mine = Order.objects.filter(status=Order.Status.PAID).order_by("?").first()
            if mine is not None:
                orders.cancel(mine, actor=None)

    def save(self, dump: Path) -> None:
        """Save the database in the middle of it."""
        try:
            wait_until(lambda: len(self.promised) >= 6, "some orders", 60)
            wait_until(
                lambda: Basket.objects.filter(held_until__isnull=False).exists(),
                "a hold",
                20,
            )
            command = ["pg_dump", "--format=custom", "--no-owner", f"--file={dump}"]
            done = run(*command, database_url())
            assert done.returncode == 0, done.stderr
            saved = len(self.promised)
            wait_until(lambda: len(self.promised) >= saved + 3, "more orders", 60)
        finally:
            self.is_over.set()


def all_sent() -> bool:
    return not Email.objects.exclude(status=STATUS.sent).exists()


def test_busy_shop_that_was_saved_while_people_buy_is_restored_elsewhere(
    transactional_db, redis, serve, other, stripe, smtp, tmp_path, settings
):
    dump, media = tmp_path / "shop.dump", tmp_path / "restored-media"
    argon2 = "django.contrib.auth.hashers.Argon2PasswordHasher"
    settings.PASSWORD_HASHERS = [argon2]  # the shop's own
    shop = serve(redis, **on(stripe))
    variants = [
        make_variant(on_hand=500, image=make_picture(f"{n}.png")) for n in range(4)
    ]
    shopper = Shopper(shop, make_shopper(username=NAME, password=PASSWORD))
    cancelled, paid = make_pending(), make_pending()
    tell(stripe.event(begun(stripe, cancelled)))
    orders.cancel(Order.objects.get(pk=cancelled.pk))
    refunds.ask_all()
    page_to_pay_at = begun(stripe, paid)

    storm = Storm(shop, variants)
    buyers = [lambda n=n: storm.buy(n) for n in range(BUYERS)]
    outcomes = together([*buyers, storm.staff, lambda: storm.save(dump)])

    assert [end for end in outcomes if isinstance(end, Exception)] == []
    # What happens after the backup: one more order is paid, and one of before it.
    late = make_pending()
    lost_page = begun(stripe, late)
    for page in (page_to_pay_at, lost_page):
        tell(stripe.event(page))
    numbers_before = set(Order.objects.values_list("number", flat=True))
    newest = Order.objects.latest("pk").pk
    shutil.copytree(settings.MEDIA_ROOT, media)
    shop.kill()

    words = ["--no-owner", "--exit-on-error", f"--dbname={other.url}"]
    done = run("pg_restore", *words, str(dump))
    assert done.returncode == 0, done.stderr
    there = {"DATABASE_URL": other.url, "REDIS_URL": redis.url, **on(stripe)}
    there |= {"MEDIA_ROOT": str(media), "SERVE_MEDIA": "1"}
    assert manage("migrate", "--check", **there).returncode == 0
    report = manage("after_restore", **there)

    assert report.stderr.splitlines()[-2:] == [
        f"paid without an order here: 12.50 EUR, {lost_page['id']}",
        "CommandError: 1 things to look at, see above.",
    ]
    assert "Traceback" not in report.stderr
    assert "The books agree." in report.stdout
    with writing_to(other.url):
        numbers = set(Order.objects.values_list("number", flat=True))
        assert numbers < numbers_before, "it is of an earlier moment"
        assert len(numbers & storm.promised) >= 6
        assert late.number not in numbers
        paid.refresh_from_db()
        assert paid.status == Order.Status.PAID, "Stripe was asked"
        assert Refund.objects.get().payment.order_id == cancelled.pk
        assert books.reconcile() == books.reconcile_money() == []
        goes_on(serve(redis, **there), shopper, variants, newest)
        held = Basket.objects.filter(held_until__isnull=False)
        assert held.exists()
        held.update(held_until=timezone.now())
        holds.release_lapsed()
        assert not held.exists()
        assert books.reconcile() == []
        assert not all_sent(), "mails wait in the backup"
        worker = Worker(tmp_path, redis.url, beat=True, **there, **mailing(smtp))
        worker.launch()
        try:
            wait_until(all_sent, "the mails", 30)
        finally:
            worker.kill()


def mailing(smtp: SmtpServer) -> dict[str, str]:
    return {
        "EMAIL_HOST": "127.0.0.1",
        "EMAIL_PORT": str(smtp.port),
        "EMAIL_USE_TLS": "0",
        "OUTBOX_SWEEP_S": "0.3",
    }


def goes_on(
    shop: Daphne, shopper: Shopper, variants: list[Variant], newest: int
) -> None:
    """People are signed in, sign in, see pictures and place orders."""
    shopper.shop = shop
    assert NAME in shopper.get("/users/profile/")
    again = Shopper(shop)
    again.send("/users/login/", login=NAME, password=PASSWORD)
    assert NAME in again.get("/users/profile/")
    with urllib.request.urlopen(
        shop.url + variants[0].product.image_small.url
    ) as picture:
        assert picture.headers["Content-Type"] == "image/webp"
    buyer = Buyer(shop, {variants[0]: 1})
    assert buyer.check_out() == [200, 303, 200, 303]
    order = Order.objects.latest("pk")
    assert order.pk > newest, "no number of a lost order is given out again"
