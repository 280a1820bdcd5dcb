"""What `manage.py after_restore` does in a database that is of an earlier moment."""

import shutil

import pytest
from django.core.cache import cache
from django.core.files.storage import default_storage
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder

from products.models import Order, Payment, WebhookEvent
from products.payments import restores
from tests.products.payments.test_stripe import begun, make_pending, tell
from tests.support.factories import make_picture, make_product, make_user, make_variant
from tests.support.http_server import serving
from tests.support.stripe_server import SECRET, StripeServer

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def stripe(settings):
    with serving(StripeServer()) as server:
        settings.STRIPE_SECRET_KEY, settings.STRIPE_WEBHOOK_SECRET = "sk_test_x", SECRET
        settings.STRIPE_API_BASE = server.url
        yield server


def forget(order: Order) -> None:
    """As if its payment was begun after the backup."""
    Payment.objects.filter(order=order).update(idempotency_key="x", reference="")


def test_numbers_that_were_given_out_since_are_not_given_out_again():
    before = [make_user().pk, make_variant().pk]

    count = restores.skip_numbers()

    after = [make_user().pk, make_variant().pk]
    assert count > 20
    for old, new in zip(before, after, strict=True):
        assert new > old + restores.SKIPPED


def test_numbers_move_on_in_every_table_that_counts():
    restores.skip_numbers()

    with connection.cursor() as cursor:
        query = "SELECT sequencename FROM pg_sequences WHERE last_value < %s"
        cursor.execute(query, [restores.SKIPPED])
        assert cursor.fetchall() == []


def test_cache_that_holds_newer_pages_is_emptied():
    cache.set("kept", "newer than the rows", 60)

    assert restores.empty_cache()

    assert cache.get("kept") is None


def test_cache_that_does_not_answer_is_reported(settings, tmp_path, capsys):
    away = settings.CACHES["default"] | {"LOCATION": f"unix://{tmp_path}/none?db=0"}
    settings.CACHES = settings.CACHES | {"default": away}

    with pytest.raises(CommandError, match="1 things to look at"):
        call_command("after_restore")

    assert "Redis does not answer" in capsys.readouterr().err


def test_thumbnails_are_drawn_and_missing_files_are_named(capsys):
    whole, bare = make_product(image=make_picture()), make_product(image=make_picture())
    lost = make_product(image=make_picture("lost.png"))
    face = make_user(picture=make_picture("face.webp"))
    for side in (bare.image_small, bare.image_large):
        default_storage.delete(side.name)
    default_storage.delete(lost.image.name)
    shutil.rmtree(default_storage.path("CACHE"), ignore_errors=True)
    face.picture.storage.delete(face.picture.name)

    with pytest.raises(CommandError, match="2 things to look at"):
        call_command("after_restore")

    output = capsys.readouterr()
    assert output.err.splitlines() == [
        f"missing file: {name}" for name in sorted([lost.image.name, face.picture.name])
    ]
    for product in (whole, bare):
        assert default_storage.exists(product.image_small.name)


def test_payment_made_since_pays_its_order(stripe: StripeServer, capsys):
    order = make_pending()
    page = begun(stripe, order)
    stripe.event(page)  # told after the backup: these rows know nothing of it

    call_command("after_restore")

    order.refresh_from_db()
    assert order.status == Order.Status.PAID
    assert "1 events of payment providers read." in capsys.readouterr().out


def test_events_that_were_heard_before_do_nothing_again(stripe: StripeServer):
    order = make_pending()
    tell(stripe.event(begun(stripe, order)))
    order.refresh_from_db()

    call_command("after_restore")
    call_command("after_restore")

    version = order.version
    order.refresh_from_db()
    assert order.version == version
    assert WebhookEvent.objects.count() == 1


def test_payment_of_an_order_that_is_lost_is_named(stripe: StripeServer, capsys):
    lost, present = make_pending(), make_pending()
    lost_page, present_page = begun(stripe, lost), begun(stripe, present)
    for page in (lost_page, present_page):
        stripe.event(page)
    forget(lost)

    with pytest.raises(CommandError, match="1 things to look at"):
        call_command("after_restore")

    errors = capsys.readouterr().err
    assert errors == f"paid without an order here: 12.50 EUR, {lost_page['id']}\n"


def test_more_events_than_fit_on_a_page_of_stripes_are_all_read(stripe, capsys):
    page = begun(stripe, make_pending())
    for _ in range(150):
        stripe.event(page, "expired")
    stripe.told("customer.created", {"id": "cus_1"})

    call_command("after_restore")

    assert "150 events of payment providers read." in capsys.readouterr().out


@pytest.mark.parametrize("mood", ["down", "forbids"])
def test_stripe_that_does_not_answer_is_reported_and_the_rest_is_done(
    stripe: StripeServer, mood, capsys
):
    stripe.mood = mood

    with pytest.raises(CommandError, match="1 things to look at"):
        call_command("after_restore")

    output = capsys.readouterr()
    assert "did not say what was paid since" in output.err
    assert "The books agree." in output.out


def test_drift_is_reported(capsys):
    make_variant(on_hand=3)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE products_stock SET on_hand = 4")

    with pytest.raises(CommandError, match="1 things to look at"):
        call_command("after_restore")

    assert "its movements say 3" in capsys.readouterr().err


def test_tables_of_an_older_release_are_migrated_first():
    recorder = MigrationRecorder(connection)
    recorder.record_unapplied("products", "0001_initial")
    try:
        with pytest.raises(CommandError, match="manage.py migrate first"):
            call_command("after_restore")
    finally:
        recorder.record_applied("products", "0001_initial")
