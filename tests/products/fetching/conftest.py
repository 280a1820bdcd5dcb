"""Fixtures of the tests of fetching pictures."""

from collections.abc import Iterator

import pytest

from tests.products.fetching.pictures import PictureServer, picture_server


@pytest.fixture
def server(settings) -> Iterator[PictureServer]:
    settings.FETCH_FROM_THIS_MACHINE = True
    with picture_server() as server:
        yield server
