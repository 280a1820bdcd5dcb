"""Products imported in the admin: upload, preview, import."""

from decimal import Decimal

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.core.files.storage import storages
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse
from django.utils import timezone

from products.fetching import services as fetching
from products.importing.admin import UPLOAD_LIFETIME, claimed
from products.models import (
    PictureFetch,
    PictureJob,
    Product,
    Stock,
    StockMovement,
    Variant,
)
from project.models import PrivateFile, PrivateFilePart
from tests.support.factories import (
    make_category,
    make_picture,
    make_product,
    make_user,
    make_variant,
)

pytestmark = pytest.mark.django_db

UPLOAD = "admin:products_product_import"
PREVIEW = "admin:products_product_import_preview"
LIST = "admin:products_product_changelist"
RIGHTS = ["add_product", "change_product", "add_productcategory", "change_stock"]


def waiting() -> list[str]:
    """The files that were uploaded and not imported yet."""
    return storages["imports"].listdir("")[1]


@pytest.fixture
def clerk(client):
    """Staff who may import."""
    user = make_user(is_staff=True)
    rights = Permission.objects.filter(codename__in=[*RIGHTS, "view_product"])
    assert len(rights) == len(RIGHTS) + 1
    user.user_permissions.set(rights)
    client.force_login(user)
    return user


def upload(client, content: str | bytes, name: str = "spring.csv", **fields):
    content = content.encode() if isinstance(content, str) else content
    file = SimpleUploadedFile(name, content, "text/csv")
    return client.post(reverse(UPLOAD), {"file": file, **fields}, follow=True)


def press(client, page, **fields):
    """“Import now” on a preview."""
    token = page.context["token"]
    return client.post(reverse(PREVIEW), {"token": token} | fields, follow=True)


def test_import_shows_a_preview_and_writes_when_confirmed(client, clerk):
    lamp = make_variant(sku="L-1", on_hand=3)
    make_product(sku="L-2", name="Same")

    page = upload(
        client,
        "sku,name,category,price,stock\nL-1,,,9.90,7\nL-2,Same,,,\n"
        "L-3,New <b>lamp</b>,Shelf,5,1\nL-4,Bad,Shelf,-1,\n",
    )

    assert "1 new product, 1 changed, 1 unchanged, 1 row left out." in page.text
    assert "New &lt;b&gt;lamp&lt;/b&gt;" in page.text
    assert "New categories: Shelf" in page.text
    assert "A price must not be negative" in page.text
    assert Product.objects.count() == 2
    assert Variant.objects.get(pk=lamp.pk).price == Decimal("12.50")

    done = press(client, page)

    assert "1 new product, 1 changed, 1 unchanged, 1 row left out." in done.text
    assert Variant.objects.get(pk=lamp.pk).price == Decimal("9.90")
    assert Stock.objects.get(pk=lamp.pk).on_hand == 7
    assert StockMovement.objects.filter(actor=clerk).count() == 3
    assert LogEntry.objects.get().object_repr == "spring.csv"


def test_import_without_errors_ends_on_the_list(client, clerk):
    make_category(name="Shelf")
    page = upload(client, "sku,name,category,price\nL-1,Lamp,Shelf,5\n")

    done = press(client, page)

    assert done.redirect_chain == [(reverse(LIST), 302)]
    assert "1 new product" in done.text


def test_import_submitted_twice_is_done_once(client, clerk):
    page = upload(client, "sku,name,category,price\nL-1,Lamp,Shelf,5\n")

    press(client, page)
    again = press(client, page)

    assert Product.objects.count() == 1
    assert "Please choose the file again" in again.text


def test_import_of_a_file_that_another_request_claimed_is_not_done(
    client, clerk, monkeypatch
):
    """Both have seen the file; one has it."""
    page = upload(client, "sku,name,category,price\nL-1,Lamp,Shelf,5\n")
    (file,) = waiting()
    storages["imports"].rename(file, f"{file}.taken")
    storage = type(storages["imports"])
    monkeypatch.setattr(storage, "exists", lambda *args: True)  # as it was just now

    again = press(client, page)

    assert "has already been imported" in again.text
    assert not Product.objects.exists()


def test_claimed_file_cannot_be_claimed_again(client, clerk):
    upload(client, "sku,name\nL-1,Lamp\n")
    name = client.session["import"]["file"]

    with claimed(name) as file:
        with pytest.raises(FileNotFoundError), claimed(name):
            pass
        assert file.read()


def test_import_of_a_replaced_file_is_not_done(client, clerk):
    first = upload(client, "sku,name,category,price\nL-1,First,Shelf,5\n")
    upload(client, "sku,name,category,price\nL-2,Second,Shelf,5\n")

    page = press(client, first)

    assert "since uploaded another file" in page.text
    assert not Product.objects.exists()


def test_import_leaves_no_file_behind(client, clerk):
    page = upload(client, "sku,name,category,price\nL-1,Lamp,Shelf,5\n")
    assert len(waiting()) == 1  # the premise

    press(client, page)

    assert waiting() == []
    assert not PrivateFilePart.objects.exists()


def test_upload_deletes_old_files_that_were_never_imported(client, clerk):
    upload(client, "sku,name\nL-1,Lamp\n")
    (old,) = waiting()
    PrivateFile.objects.update(created_at=timezone.now() - UPLOAD_LIFETIME)

    upload(client, "sku,name\nL-1,Lamp\n")

    assert len(waiting()) == 1 and old not in waiting()


def test_import_uses_the_chosen_category_for_products_without_one(client, clerk):
    shelf = make_category(name="Shelf")

    press(
        client, upload(client, "Handle,Title,Price\nlamp,Lamp,5\n", category=shelf.pk)
    )

    assert Product.objects.get().category == shelf


@pytest.mark.parametrize("missing", RIGHTS)
def test_import_needs_every_right_that_it_uses(client, clerk, missing):
    page = upload(client, "sku,name,category,price\nL-1,Lamp,Shelf,5\n")
    assert page.status_code == 200  # the premise
    clerk.user_permissions.remove(Permission.objects.get(codename=missing))

    assert upload(client, "sku,name\nL-1,Lamp\n").status_code == 403
    assert press(client, page).status_code == 403
    assert not Product.objects.exists()
    link = reverse(UPLOAD)
    assert link not in client.get(reverse(LIST)).text


def test_list_of_products_links_to_the_import(client, clerk):
    assert f'href="{reverse(UPLOAD)}"' in client.get(reverse(LIST)).text


def test_preview_of_the_upload_of_another_session_is_not_shown(client, clerk):
    upload(client, "sku,name\nL-1,Secret\n")
    client.force_login(make_user(is_staff=True, is_superuser=True))

    page = client.get(reverse(PREVIEW), follow=True)

    assert page.redirect_chain == [(reverse(UPLOAD), 302)]


def a_picture() -> bytes:
    return make_picture("a.png").read()


@pytest.mark.parametrize(
    "content, message",
    [
        (b"PK\x03\x04" + bytes(100), "Excel (xlsx)"),
        (a_picture(), "PNG"),
        (b"one column\n1\n", "Columns are missing"),
        (b"\x00\x01\x02" * 100, "not a text file"),
    ],
)
def test_upload_of_a_file_without_a_table_says_so(client, clerk, content, message):
    page = upload(client, content)

    assert page.redirect_chain[-1] == (reverse(UPLOAD), 302)
    assert message in page.text


def test_upload_of_an_empty_file_says_so(client, clerk):
    assert "The submitted file is empty" in upload(client, b"").text


def test_upload_of_a_large_file_names_the_command(client, clerk, settings):
    settings.IMPORT_MAX_BYTES = 10

    page = upload(client, "sku,name\nL-1,Lamp\n")

    assert "manage.py import_products" in page.text
    assert "token" not in page.context


def test_upload_of_too_many_rows_cannot_be_imported(
    client, clerk, settings, monkeypatch
):
    monkeypatch.setattr("products.importing.applying.BATCH", 2)
    settings.IMPORT_MAX_ROWS = 2
    rows = "".join(f"L-{n},Lamp,Shelf,5\n" for n in range(5))

    page = upload(client, f"sku,name,category,price\n{rows}")

    assert "more than 2 rows" in page.text
    assert "Import now" not in page.text


def test_preview_without_changes_offers_no_import(client, clerk):
    make_product(sku="L-1", name="Lamp")

    assert "Import now" not in upload(client, "sku,name\nL-1,Lamp\n").text


def test_import_session_holds_no_path(client, clerk):
    """What the session names is a file in the folder, whatever was uploaded."""
    upload(client, "sku,name\nL-1,Lamp\n", name="../../etc/passwd.csv")

    entry = client.session["import"]
    assert "/" not in entry["file"] + entry["name"]


# --- Encoding and delimiter -------------------------------------------------------

POLISH = "sku;name\nL-0;Plain\nL-1;Żółta łódź, świeca zapachowa\n"


def read_again(client, page, **fields):
    """“Read the file again” on a preview or where one is asked."""
    fields = {"token": page.context["token"], "read_again": "1"} | fields
    return client.post(reverse(PREVIEW), fields, follow=True)


def test_preview_shows_the_detected_encoding_with_lines_and_a_choice(client, clerk):
    page = upload(client, POLISH.encode("cp1250"))

    assert "Read as cp1250" in page.text
    assert "L-1;Żółta łódź, świeca zapachowa" in page.text
    assert "L-0;Plain" not in page.text
    assert '<option value="cp1250" selected>' in page.text
    assert '<option value=";" selected>' in page.text


def test_preview_in_a_chosen_encoding_is_imported_in_it(client, clerk):
    make_product(sku="L-1")
    page = upload(client, POLISH.encode("cp1250"))

    again = read_again(client, page, encoding="iso8859-2", delimiter=";")

    assert "Read as iso8859-2" in again.text
    assert not Product.objects.filter(name__contains="dź").exists()
    again = read_again(client, again, encoding="cp1250", delimiter="")
    press(client, again)
    assert Variant.objects.get(sku="L-1").name == "Żółta łódź, świeca zapachowa"


def test_upload_with_an_uncertain_encoding_asks_for_it(client, clerk):
    make_product(sku="L-1")
    page = upload(client, "sku;name\nL-1;Café\n".encode("cp1252"))

    assert "We cannot be sure which encoding" in page.text
    assert "L-1;Café" in page.text
    assert "Import now" not in page.text
    assert not Product.objects.filter(name__startswith="Caf").exists()

    chosen = read_again(client, page, encoding="cp1252", delimiter="")
    press(client, chosen)

    assert Variant.objects.get(sku="L-1").name == "Café"


def test_upload_with_encoding_and_delimiter_asks_nothing(client, clerk):
    make_product(sku="L-1")
    content = "sku\tname\nL-1\tCafé\n".encode("cp1252")

    page = upload(client, content, encoding="cp1252", delimiter="tab")

    assert "Read as cp1252" in page.text
    press(client, page)
    assert Variant.objects.get(sku="L-1").name == "Café"


@pytest.mark.parametrize(
    "fields", [{"encoding": "rot13"}, {"delimiter": '"'}, {"token": "other"}]
)
def test_preview_in_an_unknown_encoding_stays_as_it_is(client, clerk, fields):
    page = upload(client, POLISH.encode("cp1250"))

    again = read_again(client, page, **fields)

    assert "Please choose from the lists" in again.text
    assert "Read as cp1250" in again.text


def test_import_with_an_uncertain_encoding_and_no_choice_writes_nothing(client, clerk):
    make_product(sku="L-1", name="Lamp")
    page = upload(client, "sku;name\nL-1;Café\n".encode("cp1252"))

    press(client, page)

    assert Variant.objects.get(sku="L-1").name == "Lamp"


# --- Pictures ---------------------------------------------------------------------

PICTURES = (
    "Handle,Title,Type,Variant Price,Image Src,Image Alt Text\n"
    "lamp,Lamp,Light,5,https://pictures.example/1.jpg,Lit\n"
    "lamp,,,,http://10.0.0.1/2.jpg,\n"
)
DOWNLOADS = "admin:products_product_import_pictures"


def test_import_downloads_pictures_only_if_asked(client, clerk):
    page = upload(client, PICTURES)
    assert "Download 2 pictures" in page.text

    done = press(client, page)

    assert done.redirect_chain == [(reverse(LIST), 302)]
    assert not PictureFetch.objects.exists()


def test_import_ends_on_the_page_of_its_downloads(client, clerk):
    done = press(client, upload(client, PICTURES), pictures="on")

    job = PictureJob.objects.get()
    assert done.redirect_chain == [(reverse(DOWNLOADS, args=[job.pk]), 302)]
    assert (job.name, job.actor) == ("spring.csv", clerk)
    assert "1 new product" in done.text
    text = " ".join(done.text.split())
    assert "0 of 2 pictures downloaded · 2 waiting" in text
    listed = client.get(reverse(UPLOAD)).text
    assert reverse(DOWNLOADS, args=[job.pk]) in listed


def test_downloads_that_failed_are_listed_by_line_and_tried_again(client, clerk):
    press(client, upload(client, PICTURES), pictures="on")
    job = PictureJob.objects.get()
    PictureFetch.objects.filter(line=2).delete()
    fetching.fetch_due()
    address = reverse(DOWNLOADS, args=[job.pk])

    page = client.get(address)

    assert "<td>3</td>" in page.text
    assert "The address is in a private network" in page.text
    assert "1 was asked for again by a later import, or deleted." in page.text

    again = client.post(address, follow=True)

    assert "try to fetch 1 picture again" in again.text
    assert PictureFetch.objects.get().failures == 0


def test_file_whose_pictures_alone_are_new_can_be_imported(client, clerk):
    press(client, upload(client, PICTURES))

    done = press(client, upload(client, PICTURES), pictures="on")

    assert PictureFetch.objects.count() == 2
    assert "0 new products, 0 changed, 1 unchanged" in done.text


def test_downloads_are_hidden_from_staff_who_may_not_import(client, clerk):
    job = PictureJob.objects.create(name="a.csv")
    clerk.user_permissions.clear()

    assert client.get(reverse(DOWNLOADS, args=[job.pk])).status_code == 403


def test_preview_shows_rows_with_warnings(client, clerk):
    make_product(sku="L-1")

    page = upload(client, "sku,name,price\nL-1,Lamp\n")

    assert "Please check these rows" in page.text
    assert "2 of 3 cells" in page.text
