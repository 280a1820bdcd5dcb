"""Pictures in a bucket, on a real S3 server."""

import json
import os
import subprocess
import time
from contextlib import contextmanager
from datetime import timedelta

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.management import CommandError, call_command
from django.db import transaction
from django.urls import reverse
from django.utils import timezone
from PIL import Image

from products import tasks
from products.catalogue import services as catalogue
from products.catalogue import thumbnails
from products.demo import loading, rows
from products.models import Product
from project import bucket_storage, unused_files
from project.bucket import from_environment
from project.models import UnusedFiles
from project.storage import StorageAway
from project.tasks import delete_unused_files
from tests.support import fork_server
from tests.support.factories import (
    NO_PICTURES,
    make_basket,
    make_owner,
    make_picture,
    make_product,
    make_shopper,
    make_user,
    make_variant,
)
from users import deletion

PROFILE = "/users/profile/"
NOT_STORED = "We couldn’t store the picture, and nothing was saved."


@pytest.fixture
def anna(client, db):
    anna = make_shopper(username="anna", email="anna@example.com")
    client.force_login(anna)
    return anna


@pytest.fixture
def clerk(client, db):
    clerk = make_user(is_staff=True, is_superuser=True)
    client.force_login(clerk)
    return clerk


def put(client, **fields):
    """The profile, with a picture."""
    form = {"first_name": "Anna", "last_name": "", "picture": make_picture("me.png")}
    return client.post(PROFILE, form | fields)


def change(client, product: Product, **fields):
    """A product in the admin."""
    form = {
        "name": product.name,
        "slug": product.slug,
        "sku": product.skus[0],
        "price": "1",
        "category": product.category_id,
        "is_active": "on",
    }
    page = f"/admin/products/product/{product.pk}/change/"
    return client.post(page, form | NO_PICTURES | fields)


def make_due() -> None:
    UnusedFiles.objects.update(due_at=timezone.now())


# --- The storage ------------------------------------------------------------------


def test_object_has_the_type_of_its_ending_and_may_be_kept_for_ever(bucket):
    upload = make_picture("lamp.png")
    upload.content_type = "text/html"  # as the sender's browser says

    default_storage.save("products/lamp.png", upload)

    stored = bucket.get("shop/products/lamp.png")
    assert stored["ContentType"] == "image/png"
    assert stored["CacheControl"] == "public, max-age=31536000, immutable"
    assert "ContentDisposition" not in stored
    assert stored["Body"] == upload.open().read()


@pytest.mark.parametrize("name", ["a.svg", "a.html", "a.png.svg", "a", "a.svgz"])
def test_object_that_is_no_picture_is_never_shown_by_a_browser(bucket, name):
    default_storage.save(name, ContentFile(b"<svg onload=alert(1)>"))

    stored = bucket.get(f"shop/{name}")
    assert stored["ContentType"] == "application/octet-stream"
    assert stored["ContentDisposition"] == "attachment"


def test_picture_of_a_person_is_kept_by_no_shared_cache(bucket):
    default_storage.save("people/x.webp", ContentFile(b"RIFF"))

    stored = bucket.get("shop/people/x.webp")
    assert stored["CacheControl"] == "private, max-age=3600"


def test_storage_reads_lists_and_deletes(bucket):
    for name in ("products/a.png", "products/b/c.png", "other/d.png"):
        default_storage.save(name, ContentFile(name.encode()))

    with default_storage.open("products/a.png") as file:
        assert file.read() == b"products/a.png"
    assert default_storage.size("products/a.png") == len(b"products/a.png")
    assert default_storage.listdir("products") == (["b"], ["a.png"])
    times = dict(default_storage.files_below("products"))
    assert times.keys() == {"products/a.png", "products/b/c.png"}
    assert abs(time.time() - times["products/a.png"].timestamp()) < 60
    default_storage.delete("products/a.png")
    assert not default_storage.exists("products/a.png")
    default_storage.delete("products/a.png")  # it is gone already
    with pytest.raises(FileNotFoundError):
        default_storage.open("products/a.png")
    with pytest.raises(FileNotFoundError):
        default_storage.get_modified_time("products/a.png")


def test_storing_is_one_request(bucket):
    default_storage.save("products/a.png", ContentFile(b"a"))

    assert bucket.requests() == [f"PUT /{bucket.place.name}/shop/products/a.png"]


def test_address_is_put_together_and_escaped(bucket):
    url = default_storage.url("products/größe 1?.webp")

    assert url == f"{bucket.place.url}products/gr%C3%B6%C3%9Fe%201%3F.webp"
    assert bucket.requests() == []


def test_bucket_that_is_not_there_is_no_missing_file(bucket, settings):
    other = bucket.storage["OPTIONS"] | {"bucket_name": "nobodys-bucket"}
    settings.STORAGES = settings.STORAGES | {
        "default": bucket.storage | {"OPTIONS": other}
    }

    with pytest.raises(StorageAway, match="NoSuchBucket"):
        default_storage.open("products/a.png")
    with pytest.raises(StorageAway, match="NoSuchBucket"):
        default_storage.save("products/a.png", ContentFile(b"a"))


# --- Pages ------------------------------------------------------------------------


@pytest.mark.django_db
def test_pages_ask_the_bucket_for_nothing(client, bucket):
    products = [make_product(image=make_picture(f"{n}.png")) for n in range(3)]
    anna = make_shopper(picture="people/anna.webp", is_staff=True, is_superuser=True)
    client.force_login(anna)
    Product.objects.filter(pk=products[0].pk).update(is_active=False)
    bucket.forget_requests()

    pages = [
        reverse("products:list"),
        reverse("products:index"),
        products[1].get_absolute_url(),
        PROFILE,
        "/basket/",
        "/admin/products/product/",
        f"/admin/products/product/{products[1].pk}/change/",
        f"/admin/users/user/{anna.pk}/change/",
    ]
    answers = [client.get(page) for page in pages]

    assert [answer.status_code for answer in answers] == [200] * len(pages)
    small = f'src="{bucket.place.url}CACHE/images/{products[1].image.name}/320-'
    assert f"{bucket.place.url}CACHE/images/{products[2].image.name}" in answers[0].text
    assert small in answers[5].text
    assert f"{bucket.place.url}people/anna.webp" in answers[3].text
    assert bucket.requests() == []


@pytest.mark.django_db
def test_product_that_keeps_its_picture_is_saved_without_asking_the_bucket(bucket):
    product = make_product(image=make_picture())
    bucket.forget_requests()

    for change_of in ({"description": "New"}, {"name": "Other"}, {"is_active": False}):
        loaded = Product.objects.get(pk=product.pk)
        vars(loaded).update(change_of)
        catalogue.save(loaded)
    make_basket(make_owner(), {make_variant(): 1})

    assert bucket.requests() == []


# --- People -----------------------------------------------------------------------


def test_picture_of_a_person_is_in_the_bucket_under_a_name_nobody_can_guess(
    client, anna, bucket
):
    assert put(client).status_code == 302

    anna.refresh_from_db()
    assert bucket.keys() == [f"shop/{anna.picture.name}"]
    assert len(anna.picture.name) > 30 and anna.picture.name.startswith("people/")
    assert bucket.get(bucket.keys()[0])["ContentType"] == "image/webp"
    assert not UnusedFiles.objects.exists()


def test_picture_that_takes_anothers_place_leaves_only_itself(
    client, anna, bucket, django_capture_on_commit_callbacks
):
    put(client)
    anna.refresh_from_db()
    old = anna.picture.name

    with django_capture_on_commit_callbacks(execute=True):
        put(client)

    anna.refresh_from_db()
    assert bucket.keys() == [f"shop/{anna.picture.name}"] != [f"shop/{old}"]


@pytest.mark.parametrize("is_by_staff", [False, True], ids=["owner", "staff"])
def test_picture_of_an_account_that_is_deleted_is_deleted_from_the_bucket(
    client, anna, bucket, django_capture_on_commit_callbacks, is_by_staff
):
    put(client)
    assert len(bucket.keys()) == 1  # the premise

    with django_capture_on_commit_callbacks(execute=True):
        deletion.delete(anna, is_by_staff=is_by_staff)

    assert bucket.keys() == []
    assert not UnusedFiles.objects.exists()


def test_picture_of_an_account_that_was_deleted_while_the_bucket_was_away_goes_later(
    client, anna, bucket, caplog, django_capture_on_commit_callbacks
):
    put(client)

    with refusing(bucket), django_capture_on_commit_callbacks(execute=True):
        deletion.delete(anna)
    assert len(bucket.keys()) == 1
    make_due()

    assert delete_unused_files() == 1
    assert bucket.keys() == [] and not UnusedFiles.objects.exists()
    assert "Unused pictures stay for now: The bucket refuses" in caplog.text


def test_picture_whose_row_was_not_saved_goes_after_an_hour(anna, bucket):
    unused_files.store({"people/x.webp": b"RIFF"})

    at_once = delete_unused_files()
    make_due()

    assert (at_once, delete_unused_files()) == (0, 1)
    assert bucket.keys() == []


def test_picture_that_a_sweep_has_deleted_is_given_to_nobody(bucket, db):
    unused_files.store({"people/x.webp": b"RIFF"})
    make_due()
    delete_unused_files()

    assert unused_files.claim("people/x.webp") is False


def test_file_that_cannot_be_deleted_does_not_keep_others(bucket, db, monkeypatch):
    for name in "abc":
        unused_files.store({f"people/{name}.webp": b"RIFF"})
    make_due()
    delete = bucket_storage.BucketStorage.delete

    def deleted(storage, name):
        if name == "people/a.webp":
            raise StorageAway("denied")
        delete(storage, name)

    monkeypatch.setattr(bucket_storage.BucketStorage, "delete", deleted)

    assert delete_unused_files() == 2
    assert bucket.keys() == ["shop/people/a.webp"]


# --- Products ---------------------------------------------------------------------


def test_upload_in_the_admin_is_stored_with_its_thumbnails(client, clerk, bucket):
    product = make_product()
    picture = make_picture("Größe 1.png", Image.new("RGB", (700, 800)))

    answer = change(client, product, image=picture)

    methods = [request.partition(" ")[0] for request in bucket.requests()]
    assert methods == ["PUT"] * 4  # new names need not be looked for
    product.refresh_from_db()
    name = product.image.name
    assert answer.status_code == 302
    assert bucket.keys() == sorted(
        f"shop/{each}" for each in (name, *thumbnails.names_of(name))
    )
    assert bucket.get(f"shop/{name}")["Body"] == picture.open().read()
    assert {bucket.get(key)["ContentType"] for key in bucket.keys()} == {
        "image/png",
        "image/webp",
    }
    assert not UnusedFiles.objects.exists()


def test_upload_of_a_form_with_another_error_goes_again(client, clerk, bucket):
    product = make_product()

    page = change(client, product, image=make_picture(), price="dear")

    assert page.status_code == 200 and len(bucket.keys()) == 4
    make_due()
    assert delete_unused_files() == 4
    assert bucket.keys() == []


def test_new_product_gets_its_picture(client, clerk, bucket):
    shelf = make_product().category_id
    form = {"name": "Jug", "sku": "J", "price": "1", "category": shelf}

    form |= NO_PICTURES
    client.post("/admin/products/product/add/", form | {"image": make_picture()})

    jug = Product.objects.get(name="Jug")
    assert f"shop/{jug.image_large.name}" in bucket.keys()
    make_due()
    delete_unused_files()
    assert len(bucket.keys()) == 4


def test_picture_is_taken_from_a_product(client, clerk, bucket):
    product = make_product(image=make_picture())

    answer = change(client, product, **{"image-clear": "on"})

    product.refresh_from_db()
    assert answer.status_code == 302 and not product.image


@pytest.mark.django_db
def test_old_thumbnails_in_the_bucket_go_and_missing_ones_come(bucket, monkeypatch):
    lamp, jug = (make_product(image=make_picture(f"{n}.png")) for n in range(2))
    gone, current = lamp.image_small.name, jug.image_small.name
    bucket.remove(f"shop/{jug.image_large.name}")
    original = lamp.image.name
    catalogue.save_pictures(lamp, deleted=[lamp.pictures.get().pk])
    monkeypatch.setattr(
        "products.catalogue.pictures.GRACE_PERIOD", -timedelta(minutes=1)
    )

    bucket.forget_requests()
    assert tasks.forget_old_thumbnails() == 3
    assert len([r for r in bucket.requests() if r.startswith("GET")]) == 1
    assert tasks.make_missing_thumbnails() == 1

    assert not default_storage.exists(gone) and default_storage.exists(current)
    assert default_storage.exists(jug.image_large.name)
    assert default_storage.exists(original)  # nobody could draw it again


@pytest.mark.django_db
def test_demo_pictures_are_copied_once(bucket):
    items = [item for _shelf, item in rows.items()][:3]

    assert loading.load_pictures(items) == 5  # the first item has three
    assert len(bucket.keys()) == 20
    bucket.forget_requests()
    assert loading.load_pictures(items) == 0
    assert len(bucket.requests()) == 2  # two lists


@pytest.mark.django_db
def test_demo_says_in_one_line_that_the_bucket_is_away(bucket):
    with refusing(bucket), pytest.raises(CommandError, match="bucket refuses"):
        call_command("demo")

    assert not Product.objects.exists()


# --- A bucket that is away --------------------------------------------------------


@contextmanager
def refusing(bucket):
    bucket.server.refuse_everybody()
    try:
        yield
    finally:
        bucket.server.let_everybody_in()


@contextmanager
def frozen(bucket):
    with bucket.server.frozen():
        yield


@pytest.fixture(params=[refusing, frozen], ids=["refusing", "frozen"])
def away(request, monkeypatch):
    """A way for the bucket to be away. The storage is impatient, and is not asked again
    during a test once it did not answer."""
    monkeypatch.setattr(bucket_storage, "READ_S", 1)
    monkeypatch.setattr(bucket_storage, "AWAY_S", 60)
    return request.param


def test_bucket_that_hangs_keeps_a_page_for_ten_seconds_at_most():
    config = bucket_storage
    assert config.TRIES * max(config.CONNECT_S, config.READ_S) <= 10


def test_upload_to_a_bucket_that_is_away_says_so_and_saves_nothing(
    client, anna, bucket, away, caplog
):
    with away(bucket):
        page = put(client)
        caplog.clear()
        again = put(client)

    (error,) = page.context["form"].errors["picture"]
    assert error.startswith(NOT_STORED) and NOT_STORED in again.text
    anna.refresh_from_db()
    assert (anna.first_name, anna.picture.name) == ("", "")
    if away is frozen:  # who came next did not wait
        assert "did not answer a moment ago" in caplog.text
    assert bucket.keys() == []


def test_upload_in_the_admin_to_a_bucket_that_is_away_says_so(
    client, clerk, bucket, away
):
    product = make_product()

    with away(bucket):
        page = change(client, product, image=make_picture(), name="Other")

    assert NOT_STORED in page.text
    product.refresh_from_db()
    assert not product.image and product.name != "Other"
    assert bucket.keys() == []


def test_shop_goes_on_while_the_bucket_is_away(client, clerk, bucket):
    product = make_product(image=make_picture())

    with bucket.server.frozen():
        pages = [client.get(p) for p in ("/products/", product.get_absolute_url())]
        saved = change(client, product)

    assert [page.status_code for page in pages] == [200, 200]
    assert saved.status_code == 302
    assert Product.objects.get(pk=product.pk).lowest_price == 1


@pytest.mark.django_db
def test_row_whose_picture_cannot_be_stored_is_not_written(bucket):
    with refusing(bucket), pytest.raises(StorageAway), transaction.atomic():
        make_product(image=make_picture())

    assert not Product.objects.exists()


# --- The environment --------------------------------------------------------------

AMAZON = {"MEDIA_BUCKET": "shop-pictures", "MEDIA_BUCKET_REGION": "eu-central-1"}
OTHER = {"MEDIA_BUCKET": "shop", "MEDIA_BUCKET_ENDPOINT": "https://s3.example:9000"}
SHOW = """
import json
from project import settings as s
print(json.dumps([s.STORAGES["default"]["BACKEND"].rpartition(".")[2], s.MEDIA_URL,
    s.CONTENT_SECURITY_POLICY["DIRECTIVES"]["img-src"], s.SERVE_MEDIA]))
"""
WITHOUT_LIBRARY = """
import sys
sys.modules["storages"] = None
"""


def settled(before: str = "", **environment: str) -> subprocess.CompletedProcess:
    """The settings of a shop in production."""
    others = {n: v for n, v in os.environ.items() if not n.startswith("AWS_")}
    usual = {"INSECURE_COOKIES": "0", "SERVE_MEDIA": "0", "DEBUG": "0"}
    return fork_server.run(["-c", before + SHOW], others | usual | environment)


def test_settings_follow_the_environment():
    done = settled(SERVE_MEDIA="1", **AMAZON)

    assert done.returncode == 0, done.stderr
    host = "https://shop-pictures.s3.eu-central-1.amazonaws.com"
    sources = ["'self'", "data:", host]
    assert json.loads(done.stdout) == ["BucketStorage", f"{host}/", sources, False]


def test_shop_without_a_bucket_does_not_need_the_library():
    done = settled(WITHOUT_LIBRARY)

    assert done.returncode == 0, done.stderr
    sources = ["'self'", "data:"]
    assert json.loads(done.stdout) == ["FolderStorage", "/media/", sources, False]


@pytest.mark.parametrize(
    "before, environment, reason",
    [
        (WITHOUT_LIBRARY, AMAZON, "pip install -r deploy/requirements-bucket.txt"),
        ("", {"MEDIA_BUCKET": "shop"}, "MEDIA_BUCKET needs MEDIA_BUCKET_REGION"),
    ],
    ids=["library", "region"],
)
def test_bucket_that_cannot_work_is_refused_in_one_line(before, environment, reason):
    done = settled(before, **environment)

    assert done.returncode == 1
    assert reason in done.stderr and done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "environment, url, source",
    [
        (
            AMAZON | {"MEDIA_BUCKET": "pictures.shop.example"},
            "https://s3.eu-central-1.amazonaws.com/pictures.shop.example/",
            "https://s3.eu-central-1.amazonaws.com/pictures.shop.example/",
        ),
        (
            {"MEDIA_BUCKET": "shop-cn", "AWS_REGION": "cn-north-1"},
            "https://shop-cn.s3.cn-north-1.amazonaws.com.cn/",
            "https://shop-cn.s3.cn-north-1.amazonaws.com.cn",
        ),
        (OTHER, "https://s3.example:9000/shop/", "https://s3.example:9000/shop/"),
        (
            {
                "MEDIA_BUCKET": "shop",
                "MEDIA_BUCKET_ENDPOINT": "http://minio:9000/",
                "MEDIA_BUCKET_URL": "https://cdn.example/",
            },
            "https://cdn.example/",
            "https://cdn.example",
        ),
        (
            AMAZON
            | {
                "MEDIA_BUCKET_URL": "https://cdn.example",
                "MEDIA_BUCKET_PREFIX": "/a/b",
            },
            "https://cdn.example/a/b/",
            "https://cdn.example/a/b/",
        ),
    ],
    ids=["dot", "china", "other", "cdn", "prefix"],
)
def test_addresses_and_their_source_follow_the_environment(environment, url, source):
    options = from_environment(environment)

    assert (options.url, options.source) == (url, source)


def test_pictures_come_by_plain_http_on_ones_own_machine_only():
    plain = OTHER | {"MEDIA_BUCKET_ENDPOINT": "http://localhost:9000"}

    assert (
        from_environment(plain, may_be_plain=True).url == "http://localhost:9000/shop/"
    )
    with pytest.raises(ImproperlyConfigured, match="must begin with https"):
        from_environment(plain)


BAD = {
    "endpoint without a bucket": (
        {"MEDIA_BUCKET_ENDPOINT": "https://s3.example"},
        "set",
    ),
    "address as a name": (AMAZON | {"MEDIA_BUCKET": "s3://shop"}, "not a bucket's"),
    "placeholder": (AMAZON | {"MEDIA_BUCKET": "<bucket>"}, "not a bucket's name"),
    "region": (AMAZON | {"MEDIA_BUCKET_REGION": "Frankfurt, DE"}, "not a region"),
    "prefix": (AMAZON | {"MEDIA_BUCKET_PREFIX": "a/../b"}, "not a folder"),
    "half a key": (AMAZON | {"AWS_ACCESS_KEY_ID": "key"}, "or neither"),
    "the other half": (AMAZON | {"AWS_SECRET_ACCESS_KEY": "key"}, "or neither"),
    "no scheme": (OTHER | {"MEDIA_BUCKET_ENDPOINT": "s3.example"}, "cannot be read"),
    "path": (
        OTHER | {"MEDIA_BUCKET_ENDPOINT": "https://s3.example/shop"},
        "has a path",
    ),
    "port": (
        OTHER | {"MEDIA_BUCKET_ENDPOINT": "https://s3.example:x"},
        "cannot be read",
    ),
    "user": (AMAZON | {"MEDIA_BUCKET_URL": "https://a@b.example"}, "cannot be read"),
    "wildcard": (AMAZON | {"MEDIA_BUCKET_URL": "https://*.example"}, "cannot be read"),
    "policy": (
        AMAZON | {"MEDIA_BUCKET_URL": "https://a.example;x *"},
        "cannot be read",
    ),
    "in path": (
        AMAZON | {"MEDIA_BUCKET_URL": "https://a.example/;x"},
        "cannot be read",
    ),
    "query": (AMAZON | {"MEDIA_BUCKET_URL": "https://a.example?x"}, "cannot be read"),
}


@pytest.mark.parametrize("environment, reason", BAD.values(), ids=BAD)
def test_settings_that_cannot_work_are_refused_with_the_reason(environment, reason):
    with pytest.raises(ImproperlyConfigured, match=reason):
        from_environment(environment)
