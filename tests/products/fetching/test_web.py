"""Downloads of pictures: what is taken, and what is out of reach."""

import pytest

from products.fetching import web
from products.fetching.exceptions import FetchFailed
from tests.products.fetching.pictures import Page


def test_picture_is_downloaded_with_its_name_and_content(server):
    upload = web.download(f"{server.url}/lamp.png?v=2")

    assert upload.name == "lamp.png"
    assert upload.read() == server.pages["/lamp.png"].body


def test_extension_is_that_of_the_type(server):
    server.pages["/image.php"] = server.pages["/lamp.png"]._replace(
        media_type="image/jpeg; charset=binary"
    )

    assert web.download(f"{server.url}/image.php").name == "image.jpg"


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/a.png",
        "http://127.1/a.png",
        "http://2130706433/a.png",
        "http://0x7f.0.0.1/a.png",
        "http://0/a.png",
        "http://localhost/a.png",
        "http://[::1]/a.png",
        "http://[::ffff:127.0.0.1]/a.png",
        "http://[::ffff:a00:1]/a.png",
        "http://10.0.0.1/a.png",
        "http://172.16.0.1/a.png",
        "http://192.168.1.1/a.png",
        "http://100.64.0.1/a.png",
        "http://169.254.169.254/latest/meta-data/",
        "http://224.0.0.1/a.png",
        "http://[fd00::1]/a.png",
        "http://[fe80::1]/a.png",
        "http://[64:ff9b::7f00:1]/a.png",
        "https://user:password@10.0.0.1/a.png",
        "ftp://example.com/a.png",
        "file:///etc/passwd",
        "//example.com/a.png",
        "http:///a.png",
        "http://exa mple/a.png",
        "http://*.example.com/a.png",
        f"http://{'a' * 64}.example/a.png",
        "a.png",
        "",
    ],
)
def test_address_outside_the_public_web_is_forbidden(url):
    with pytest.raises(FetchFailed, match="private network, or isn’t a web address"):
        web.download(url)


@pytest.mark.parametrize(
    "target", ["http://10.0.0.1/a.png", "http://169.254.169.254/", "ftp://a.example/"]
)
def test_redirect_to_a_private_network_is_forbidden(server, target):
    server.pages["/moved.png"] = Page(status=302, location=target)

    with pytest.raises(FetchFailed, match="private network"):
        web.download(f"{server.url}/moved.png")

    assert server.requests == ["/moved.png"]


def test_redirect_to_a_public_server_is_followed(server):
    server.pages["/moved.png"] = Page(status=301, location="/lamp.png")

    assert web.download(f"{server.url}/moved.png").size


def test_redirects_in_a_circle_end(server):
    server.pages["/circle.png"] = Page(status=302, location="/circle.png")

    with pytest.raises(FetchFailed, match="can’t be reached"):
        web.download(f"{server.url}/circle.png")

    assert len(server.requests) == web.MOST_REDIRECTS + 1


def test_missing_picture_is_named_by_its_status(server):
    with pytest.raises(FetchFailed, match="answered with status 404"):
        web.download(f"{server.url}/missing.png")


def test_page_of_html_is_refused(server):
    server.pages["/page"] = Page(b"<html>", media_type="text/html; charset=utf-8")

    with pytest.raises(FetchFailed, match="sent “text/html”"):
        web.download(f"{server.url}/page")


def test_picture_that_is_too_large_is_not_read_to_its_end(server, monkeypatch):
    monkeypatch.setattr(web, "MAX_BYTES", 1000)
    server.pages["/large.png"] = Page(b"x" * 1001)

    with pytest.raises(FetchFailed, match="larger than"):
        web.download(f"{server.url}/large.png")


def test_server_that_sends_byte_by_byte_is_left_at_the_deadline(server, monkeypatch):
    monkeypatch.setattr(web, "TOTAL_S", 1)
    server.pages["/slow.png"] = Page(b"x" * 600, pause_s=0.05)  # 30 s in all

    with pytest.raises(FetchFailed, match="longer than 1 seconds"):
        web.download(f"{server.url}/slow.png")


def test_server_that_is_away_is_unreachable(server):
    server.server_close()

    with pytest.raises(FetchFailed, match="can’t be reached"):
        web.download(f"{server.url}/lamp.png")
