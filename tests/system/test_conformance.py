"""RFC 6455: the cases of the Autobahn test suite against our Daphne."""

import json
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

from tests.support.echoes import Echo, PlainEcho, UnlimitedEcho

FUZZER = Path(__file__).with_name("fuzzing.py")
PATIENCE_S = 120  # it takes four
CASES, OF_COMPRESSION = 301, 216  # so that none is lost unseen

# We negotiate no compression: a frame is prepared once for all who get it, secrets are
# not squeezed together with what a client chose, and a socket needs no window.
COMPRESSION = ["12.*", "13.*"]
WITHOUT_COMPRESSION = ["!12.*", "!13.*"]

# Messages of more than 64 KB, which nobody has to send to a shop, end with 1009 …
TOO_LARGE = {
    *(f"9.{group}.{size}" for group in (1, 2) for size in range(2, 7)),
    *(f"9.{group}.{piece}" for group in (3, 4) for piece in range(1, 10)),
    *(f"9.{group}.{chop}" for group in (5, 6) for chop in range(1, 7)),
}
# … and more than a megabyte in ten seconds with 1008.
TOO_MUCH = {"9.7.6", "9.8.6"}
LIMITS = dict.fromkeys(TOO_LARGE, 1009) | dict.fromkeys(TOO_MUCH, 1008)

# Daphne takes an empty message for none.
EMPTY = {"1.1.1", "1.2.1", "6.1.1", "6.1.2"}


@contextmanager
def served(kind, folder):
    """A server whose log shows no traceback afterwards."""
    server = kind(folder)
    try:
        server.start()
        yield server.address_of_sockets
    finally:
        server.stop()
    assert "Traceback" not in server.said(), server.said()


def outcomes(address: str, *selection: str) -> dict[str, dict]:
    """Return the result of each case, by its number. See `fuzzing.py`."""
    fuzzer = subprocess.run(
        [sys.executable, FUZZER, address, *selection],
        stdout=subprocess.PIPE,
        check=True,
        timeout=PATIENCE_S,
    )
    return json.loads(fuzzer.stdout)


def failed(results: dict[str, dict]) -> dict[str, int | None]:
    """Return the close codes of failed cases."""
    return {
        case: result["code"] for case, result in results.items() if not result["passed"]
    }


def reasons(results: dict[str, dict]) -> dict[str, str]:
    """Return the suite's failed cases, and the durations."""
    return {case: results[case]["why"] for case in failed(results)}


def test_server_passes_every_case_within_its_limits(tmp_path):
    with served(Echo, tmp_path) as address:
        results = outcomes(address, *WITHOUT_COMPRESSION)

    assert len(results) == CASES
    assert failed(results) == LIMITS, reasons(results)


def test_server_declines_compression_and_passes(tmp_path):
    with served(Echo, tmp_path) as address:
        results = outcomes(address, *COMPRESSION)

    assert len(results) == OF_COMPRESSION
    verdict = {"passed": False, "said": "UNIMPLEMENTED", "ended": "OK", "code": 1000}
    assert all(verdict.items() <= result.items() for result in results.values())


def test_server_without_its_limits_passes_every_case(tmp_path):
    with served(UnlimitedEcho, tmp_path) as address:
        results = outcomes(address, *WITHOUT_COMPRESSION)

    assert failed(results) == {}, reasons(results)


def test_cases_find_the_fault_of_plain_daphne(tmp_path):
    with served(PlainEcho, tmp_path) as address:
        results = outcomes(address, "1.*", "2.*", "6.1.*")

    assert set(failed(results)) == EMPTY
