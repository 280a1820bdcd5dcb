"""What a push costs who makes it: `publish()` against `async_to_sync(group_send)`.

    deploy/local/up.py --test exec python tests/benchmarks/publishing.py

The caller's own time, on a quiet line of calls a millisecond apart, as pages make them.
"""

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "deploy" / "local")]
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")

PAUSE_S = 0.001
FACTS = {"available": 3, "state": "low"}


def times(call: Callable[[int], None], count: int) -> list[float]:
    """Milliseconds of each call."""
    times = []
    for number in range(count):
        begun = time.perf_counter()
        call(number)
        times.append((time.perf_counter() - begun) * 1e3)
        time.sleep(PAUSE_S)
    return sorted(times)


def tell(name: str, times: list[float]) -> None:
    p99 = times[int(0.99 * (len(times) - 1))]
    print(f"{name:22} p50 {statistics.median(times):7.3f} ms   p99 {p99:7.3f} ms")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=2)
    options = parser.parse_args()

    import django

    django.setup()
    from asgiref.sync import async_to_sync
    from channels.layers import get_channel_layer

    from realtime.publish import flush, group_of, publish

    def ours(number: int) -> None:
        publish(f"stock:{number % 20}", version=number, facts=FACTS)

    def tutorials(number: int) -> None:
        event = {"type": "live", "version": number, "facts": FACTS}
        send = async_to_sync(get_channel_layer().group_send)
        send(group_of(f"stock:{number % 20}"), event)

    for _ in range(options.rounds):
        quick, slow = times(ours, options.count), times(tutorials, options.count // 10)
        flush()
        tell("publish", quick)
        tell("async_to_sync", slow)
        ratio = statistics.median(slow) / statistics.median(quick)
        print(f"async_to_sync / publish: {ratio:.0f}")


if __name__ == "__main__":
    main()
