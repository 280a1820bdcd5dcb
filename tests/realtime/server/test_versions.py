"""The libraries whose internals the server uses."""

from importlib.metadata import version

import pytest


@pytest.mark.parametrize(
    "library, known",
    [("autobahn", "26.10.2"), ("daphne", "4.2.3"), ("twisted", "26.10.0")],
)
def test_library_has_the_version_whose_internals_were_read(library, known):
    assert version(library) == known, (
        f"realtime/server uses internals of {library} {known}: read them in the new "
        "version, run tests/realtime/server and tests/system/test_conformance.py, and "
        "only then change this line"
    )
