"""Pictures of Shopify's files: which are asked for, and what is kept of them."""

import io

import pytest

from products import importing
from products.fetching import services as fetching
from products.importing import applying
from products.models import PictureFetch, PictureJob, Product, ProductImage, Variant
from tests.products.fetching.pictures import PictureServer, picture_server
from tests.support.factories import make_options, make_picture

pytestmark = pytest.mark.django_db

HEADER = (
    "Handle,Title,Type,Option1 Name,Option1 Value,Variant SKU,Variant Price,"
    "Image Src,Image Position,Image Alt Text"
)
CUP = (
    "cup,Cup,Cups,Colour,Red,C-R,5.00,{url}/1.png,2,A red cup\n"
    "cup,,,,Blue,C-B,5.00,{url}/2.png,1,A blue cup\n"
    "cup,,,,,,,{url}/3.png,3,\n"
)


@pytest.fixture
def server(settings):
    settings.FETCH_FROM_THIS_MACHINE = True
    with picture_server() as server:
        for number in (1, 2, 3):
            server.pages[f"/{number}.png"] = server.pages["/lamp.png"]
        yield server


def run(rows: str, **options) -> importing.Report:
    content = f"{HEADER}\n{rows}".encode()
    return importing.run(io.BytesIO(content), importing.Options(**options))


def texts() -> list[str]:
    """Return the alternative texts of the only product's pictures, in order."""
    return [picture.alt for picture in Product.objects.get().pictures.all()]


def test_pictures_are_downloaded_with_their_texts_and_in_their_order(
    server: PictureServer,
):
    report = run(CUP.format(url=server.url), pictures=True, name="a.csv")

    assert (report.pictures, report.job.wanted) == (3, 3)
    assert fetching.fetch_due() == 3
    assert texts() == ["A blue cup", "A red cup", ""]
    job = PictureJob.objects.get()
    assert (job.fetched, fetching.progress(job).waiting) == (3, 0)


def test_pictures_are_counted_but_not_asked_for_by_default():
    report = run(CUP.format(url="https://pictures.example"))

    assert (report.pictures, report.job) == (3, None)
    assert not PictureFetch.objects.exists()


def test_pictures_that_are_there_get_new_texts_and_are_not_downloaded_again(
    server: PictureServer,
):
    rows = CUP.format(url=server.url)
    run(rows, pictures=True)
    fetching.fetch_due()
    server.requests.clear()

    report = run(rows.replace("A red cup", "Red"), pictures=True)

    assert report.job is None
    assert fetching.fetch_due() == 0
    assert (texts(), server.requests) == (["A blue cup", "Red", ""], [])


def test_picture_of_several_variants_belongs_to_the_first(server: PictureServer):
    blue = f"{server.url}/2.png"
    header = f"{HEADER},Variant Image\n"
    rows = CUP.format(url=server.url).replace("red cup", f"red cup,{blue}")
    rows = rows.replace("blue cup", f"blue cup,{blue}").replace("3.png,3,", "3.png,3,,")
    content = (header + rows).encode()

    importing.run(io.BytesIO(content), importing.Options(pictures=True))
    fetching.fetch_due()

    red, other = Variant.objects.order_by("position")
    (picture,) = ProductImage.objects.filter(variant__isnull=False)
    assert (picture.variant, picture.alt) == (red, "A blue cup")
    assert red.picture == picture.file.name

    ProductImage.objects.filter(pk=picture.pk).update(variant=other)
    importing.run(io.BytesIO(content), importing.Options(pictures=True))

    picture.refresh_from_db()
    assert picture.variant == other  # the file says that it shows this one too


def test_new_variant_gets_the_picture_that_it_shows():
    (red,) = make_options(
        {"option_values": ["Red"], "sku": "C-R"},
        names=["Colour"],
        slug="cup",
        name="Cup",
        image=make_picture(),
    )
    ProductImage.objects.update(variant=red)

    run("cup,Cup,,Colour,Red,C-R,,,,\ncup,,,,Blue,C-B,5,,,\n")

    pictures = Variant.objects.order_by("position").values_list("picture", flat=True)
    assert list(pictures) == [red.product.image.name] * 2


def test_failed_download_names_the_line_of_the_newest_import(server: PictureServer):
    rows = CUP.format(url=server.url)
    del server.pages["/2.png"]
    run(rows, pictures=True)
    fetching.fetch_due()
    (failure,) = fetching.failed(PictureJob.objects.get())
    assert (failure.line, failure.problem) == (
        3,
        "The server answered with status 404.",
    )

    report = run(f"mug,Mug,Cups,,,M,5,,,\n{rows}", pictures=True)

    assert fetching.progress(report.job).waiting == 1
    assert PictureFetch.objects.get().line == 4


def test_pictures_of_a_product_that_is_left_out_are_not_asked_for():
    report = run(
        CUP.format(url="https://x.example").replace("5.00", "-5"), pictures=True
    )

    assert (report.pictures, report.job) == (0, None)
    assert not PictureJob.objects.exists()


def test_requests_are_kept_only_with_their_batch(monkeypatch):
    """A batch that is rolled back asks for no pictures."""
    rows = CUP.format(url="https://x.example")
    monkeypatch.setattr(applying, "BATCH", 1)
    request = fetching.request

    def fail_after(pictures, job):
        request(pictures, job)
        raise RuntimeError("the lights went out")

    monkeypatch.setattr(fetching, "request", fail_after)

    with pytest.raises(RuntimeError):
        run(rows, pictures=True)

    assert not PictureFetch.objects.exists()
    assert not Product.objects.exists()


@pytest.mark.parametrize(
    "cells, column, message",
    [
        ("lamp.jpg,1,Lit", "Image Src", "not a web address"),
        ("file:///etc/passwd,1,Lit", "Image Src", "not a web address"),
        ("https://[x/1.jpg,1,Lit", "Image Src", "not a web address"),
        ("https://x.example/1.jpg,first,Lit", "Image Position", "not a position"),
        ("https://x.example/1.jpg,40000,Lit", "Image Position", "not a position"),
        (f"https://x.example/1.jpg,1,{'x' * 251}", "Image Alt Text", "cut after 250"),
    ],
)
def test_wrong_picture_is_a_warning(cells, column, message):
    report = run(f"cup,Cup,Cups,,,C,5,{cells}\n", pictures=True)

    (warning,) = report.warnings
    assert (warning.line, warning.column, message in warning.text) == (2, column, True)
    assert report.counts == {"new": 1}
