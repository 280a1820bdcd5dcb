"""Run cases of the Autobahn test suite and print what came of them as JSON.

    python tests/system/fuzzing.py ws://localhost:8000/ '1.*' '!1.2.*'

In a process of its own: kosoku brings modules that are called as Autobahn's are.
"""

import asyncio
import json
import os
import sys
from typing import Any

from kosoku import FailureError, run_fuzzingclient

AT_ONCE = 8
LARGE = "9.*"  # messages of up to 16 MB


async def _results(
    address: str, wanted: list[str], unwanted: list[str], concurrency: int
) -> list[Any]:
    try:
        return await run_fuzzingclient(
            address, wanted or None, unwanted, concurrency=concurrency
        )
    except FailureError as failure:
        return failure.results  # of all, not only of those that failed


async def outcomes(address: str, *selection: str) -> dict[str, dict[str, Any]]:
    """The verdicts by case; `selection` has globs of cases, and "!" before what is
    to be left out."""
    wanted = [glob for glob in selection if not glob.startswith("!")]
    unwanted = [glob.removeprefix("!") for glob in selection if glob.startswith("!")]
    # A case gives up a handshake after some seconds, and a server that masks and copies
    # megabytes answers none meanwhile: large messages have the server to themselves.
    results = await _results(address, wanted, [*unwanted, LARGE], AT_ONCE)
    if not wanted and LARGE not in unwanted:
        results += await _results(address, [LARGE], unwanted, 1)
    return {
        result.case_id: {
            "passed": result.passed,
            "said": result.behavior.value,
            "ended": result.behavior_close.value,
            "code": result.remote_close_code,
            "why": f"{result.result} {result.result_close} ({result.duration} ms)",
        }
        for result in results
    }


if __name__ == "__main__":
    print(json.dumps(asyncio.run(outcomes(*sys.argv[1:]))), flush=True)
    # Without Python's own end: kosoku 0.1.0 has threads that still ask for the
    # interpreter then, and one run in five aborts (SIGABRT) after all is said.
    os._exit(0)
