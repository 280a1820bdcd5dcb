"""The debug toolbar is for developers only."""

import os
import subprocess
import sys
from http.client import HTTPConnection

import pytest
from django.conf import settings as shop_settings

from tests.support.servers import Daphne

LOOK = """
import importlib.util
real = importlib.util.find_spec
if {absent}:
    importlib.util.find_spec = lambda name, *a: (
        None if name == "debug_toolbar" else real(name, *a)
    )
import django
django.setup()
from django.conf import settings
from django.core.management import call_command
from django.urls import get_resolver, reverse
call_command("check")
get_resolver().url_patterns
print("debug_toolbar" in settings.INSTALLED_APPS)
"""


def toolbar_is_installed(*, debug: bool, absent: bool) -> bool:
    environment = dict(os.environ, DEBUG=str(int(debug)))
    environment.pop("PYTEST_VERSION", None)  # the toolbar objects to tests
    done = subprocess.run(
        [sys.executable, "-c", LOOK.format(absent=absent)],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.split()[-1] == "True"


@pytest.mark.parametrize("absent", [False, True])
def test_toolbar_is_there_with_debug_where_it_is_installed(absent):
    assert toolbar_is_installed(debug=True, absent=absent) is not absent


def test_toolbar_is_not_in_the_shop_that_people_use():
    assert "debug_toolbar" not in shop_settings.INSTALLED_APPS
    assert not any("debug_toolbar" in each for each in shop_settings.MIDDLEWARE)
    runtime = (shop_settings.BASE_DIR / "requirements.txt").read_text()
    assert "debug-toolbar" not in runtime


@pytest.mark.django_db(transaction=True)
def test_toolbar_shows_the_queries_of_a_page_through_daphne(tmp_path, monkeypatch):
    monkeypatch.delenv("PYTEST_VERSION", raising=False)
    shop = Daphne(tmp_path, shop_settings.REDIS_URL, DEBUG="1")
    shop.start()
    try:
        page, headers = ask(shop, "/products/")
        panel = page.partition('data-request-id="')[2].partition('"')[0]
        queries, _headers = ask(
            shop, f"/__debug__/render_panel/?request_id={panel}&panel_id=SQLPanel"
        )
    finally:
        shop.stop()

    assert 'id="djDebug"' in page
    assert "products_productcategory" in queries
    assert "style-src 'self'" in headers["Content-Security-Policy"]
    assert "Traceback" not in shop.said()


def ask(shop: Daphne, path: str):
    link = HTTPConnection("localhost", shop.port, timeout=30)
    link.request("GET", path)
    answer = link.getresponse()
    assert answer.status == 200, path
    text = answer.read().decode()
    link.close()
    return text, answer.headers
