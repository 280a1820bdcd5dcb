"""Which server processes a load test asks."""

import json

import pytest

from realtime.loadtest import vitals
from tests.realtime.loadtest.runs import make_run, parse_flags


@pytest.mark.parametrize(
    "url, is_that_shop",
    [
        ("http://localhost:8000", True),
        ("http://127.0.0.1:8000/shop", True),
        ("http://localhost:8001", False),
    ],
)
def test_processes_of_a_make_run_in_this_folder_are_found(
    tmp_path, monkeypatch, url, is_that_shop
):
    monkeypatch.setenv("SHOP_LOCAL_DIR", str(tmp_path))
    socket, gone = tmp_path / "pages.1", tmp_path / "pages.2"
    socket.touch()
    note = {"url": "http://localhost:8000/shop", "sockets": [str(socket), str(gone)]}
    (tmp_path / "run.json").write_text(json.dumps(note))

    assert parse_flags("--url", url).metrics == (
        [f"unix:{socket}"] if is_that_shop else []
    )


@pytest.mark.parametrize("note", [None, "", '{"url": "http://localhost:8000"}'])
def test_shop_itself_is_asked_if_no_processes_are_known(tmp_path, monkeypatch, note):
    monkeypatch.setenv("SHOP_LOCAL_DIR", str(tmp_path))
    if note is not None:
        (tmp_path / "run.json").write_text(note)

    assert list(make_run().vitals.rows) == [vitals.WHOLE]
