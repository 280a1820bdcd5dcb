"""Static files: kept for ever under a name that says what is in them, and compressed
once."""

import re
from email.message import Message
from http.client import HTTPConnection
from pathlib import Path
from typing import NamedTuple

import pytest
from django.conf import settings as shop_settings
from django.test import Client

from tests.support.factories import make_user
from tests.support.servers import Daphne

JS = shop_settings.BASE_DIR / "static" / "js"


@pytest.fixture(scope="module")
def server(tmp_path_factory, django_db_setup, static):
    shop = Daphne(tmp_path_factory.mktemp("shop"), shop_settings.REDIS_URL, **static)
    shop.start()
    yield shop
    shop.stop()


class Answer(NamedTuple):
    headers: Message
    body: bytes


def ask(shop: Daphne, path: str, **headers: str) -> Answer:
    link = HTTPConnection("localhost", shop.port, timeout=30)
    link.request("GET", path, headers=headers)
    response = link.getresponse()
    assert response.status == 200, path
    answer = Answer(response.headers, response.read())
    link.close()
    return answer


def imported_by(module: Path) -> set[Path]:
    """The modules that this one imports, and those that they import."""
    source = module.read_text()
    imports = re.findall(r'^(?:import|.* from) "(\.[\w./]+)";', source, re.MULTILINE)
    modules = {(module.parent / path).resolve() for path in imports}
    return modules.union(*map(imported_by, modules))


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("encoding", ["br", "gzip"])
def test_script_of_a_page_is_kept_for_ever_and_was_compressed(server, encoding):
    page = ask(server, "/").body.decode()
    (script,) = re.findall(r'<script type="module" src="([^"]+)"', page)

    answer = ask(server, script, **{"Accept-Encoding": encoding})

    assert re.fullmatch(r"/static/js/shop\.[0-9a-f]{12}\.js", script)
    assert "immutable" in answer.headers["Cache-Control"]
    assert answer.headers["Content-Encoding"] == encoding


@pytest.mark.django_db(transaction=True)
def test_page_names_the_modules_of_its_script_as_they_import_each_other(server):
    page = ask(server, "/").body.decode()
    preloaded = re.findall(r'<link rel="modulepreload" href="([^"]+)"', page)

    for address in preloaded:
        ask(server, address)
    (script,) = re.findall(r'<script type="module" src="([^"]+)"', page)
    source = ask(server, script).body.decode()
    imported = {f"/static/js/{name}" for name in re.findall(r'"\./([^"]+)"', source)}
    assert imported <= set(preloaded)


@pytest.fixture
def manager() -> Client:
    client = Client()
    client.force_login(make_user(is_staff=True, is_superuser=True))
    return client


@pytest.mark.django_db
@pytest.mark.parametrize(
    "address, script", [("/", "shop"), ("/staff/orders/", "board")]
)
def test_page_preloads_all_that_its_script_imports_and_no_more(
    manager, address, script
):
    page = manager.get(address).text

    preloaded = re.findall(r'<link rel="modulepreload" href="/static/js/([^"]+)"', page)

    modules = imported_by(JS / f"{script}.js")
    assert sorted(preloaded) == sorted(str(path.relative_to(JS)) for path in modules)


def test_flags_of_countries_are_not_collected(static):
    folder = Path(static["STATIC_ROOT"])

    assert (folder / "css").is_dir()
    assert not (folder / "flags").exists()
