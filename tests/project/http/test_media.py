"""Pictures served by the shop itself, on one's own machine."""

import pytest
from django.http import Http404
from django.test import RequestFactory

from project.http.media import MediaView


@pytest.fixture
def picture(settings):
    folder = settings.MEDIA_ROOT / "products"
    folder.mkdir(parents=True)
    (folder / "lamp.webp").write_bytes(b"RIFF")
    (settings.MEDIA_ROOT.parent / "secret").write_text("secret")
    return "products/lamp.webp"


def get(path: str, **headers):
    request = RequestFactory().get(f"/media/{path}", headers=headers)
    return MediaView.as_view()(request, path=path)


def get_path(path: str):
    return MediaView.as_view()(RequestFactory().get("/media/"), path=path)


def test_picture_is_served_whole_and_may_be_kept(picture):
    response = get(picture)

    assert response.content == b"RIFF"
    assert response["Content-Type"] == "image/webp"
    assert "max-age=3600" in response["Cache-Control"]


def test_picture_that_the_browser_has_is_not_sent_again(picture):
    response = get(picture, **{"If-Modified-Since": get(picture)["Last-Modified"]})

    assert response.status_code == 304


@pytest.mark.parametrize(
    "path",
    [
        "nowhere.webp",
        "../secret",
        "/etc/passwd",
        "products",
        "products/",
        "products/lamp.webp/more",
        "",
        "x" * 6000,
        "x/" * 3000,
        "products/" + "é" * 200,
        "lamp\0.webp",
        "lamp\udcff.webp",
        "lamp\ufffd.webp",
    ],
    ids=lambda path: ascii(path[:20]),
)
def test_what_is_no_picture_is_not_found(picture, path):
    with pytest.raises(Http404):
        get_path(path)
