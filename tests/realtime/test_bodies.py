"""How large the body of a request may be."""

import pytest

from realtime.bodies import limit_of, limit_of_target

KB, MB = 2**10, 2**20


@pytest.mark.parametrize(
    "method, path, limit",
    [
        ("POST", "/", MB),
        ("POST", "/basket/", MB),
        ("POST", "/users/profile/", 6 * MB),
        ("POST", "/admin/products/product/add/", 9 * MB),
        ("POST", "/admin/products/product/7/change/", 9 * MB),
        ("POST", "/admin/products/product/import/", 21 * MB),
        ("POST", "/payments/stripe/webhook/", 256 * KB),
        ("GET", "/", 64 * KB),
        ("HEAD", "/users/profile/", 64 * KB),
        ("POST", "/healthz", 64 * KB),
        ("PUT", "/ws/", 64 * KB),
        ("POST", "/static/css/base.css", 64 * KB),
        ("POST", "*", 0),
    ],
)
def test_limit_of_request_depends_on_its_kind(method, path, limit):
    assert limit_of(method, path) == limit


@pytest.mark.parametrize(
    "target, limit",
    [
        (b"/users/profile/?next=/", 6 * MB),
        (b"/users/%70rofile/", 6 * MB),
        (b"/shop/users/profile/", MB),
        (b"http://localhost/users/profile/", 0),
        (b"/\xff", MB),
    ],
)
def test_limit_of_target_reads_the_path_as_the_pages_do(target, limit):
    assert limit_of_target(b"POST", target) == limit
