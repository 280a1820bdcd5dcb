"""Many threads at one moment, each with a database connection of its own."""

import threading
from collections.abc import Callable, Iterable
from typing import Any

from django.db import connection


def together(calls: Iterable[Callable[[], Any]]) -> list[Any]:
    """Run `calls` in threads that all start at once. What each returned, or the
    exception it raised, in their order."""
    calls = list(calls)
    outcomes: list[Any] = [None] * len(calls)
    start = threading.Barrier(len(calls), timeout=60)

    def run(index: int, call: Callable[[], Any]) -> None:
        try:
            connection.ensure_connection()
            start.wait()
            outcomes[index] = call()
        except Exception as error:
            outcomes[index] = error
        finally:
            connection.close()

    threads = [
        threading.Thread(target=run, args=numbered) for numbered in enumerate(calls)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcomes
