"""How soon the price of a sale is on every screen.

    deploy/local/up.py --test exec python tests/benchmarks/flips.py
    … flips.py --sockets 1000 --turns 5

A shop, its worker and its scheduler run on a scratch database. So many sockets watch a
variant. In each turn a sale begins a few seconds later; reported is the time from its
first moment, by the database's clock, to the first and to the last socket's frame with
the reduced price.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from datetime import datetime, timedelta
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "deploy" / "local")]
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")

LEAD_S = 7.5  # between two sweeps, so that the task's own call is measured
DRAIN_S = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sockets", type=int, default=1000)
    parser.add_argument("--turns", type=int, default=5)
    options = parser.parse_args()

    import django

    django.setup()
    from tests.benchmarks.fanout import heard, listen
    from tests.benchmarks.scratch import PUBSUB_LAYER, make_layer, scratch_database
    from tests.support.layers import publishing_through
    from tests.support.servers import Daphne, Redis
    from tests.support.workers import Worker, broker_at

    with tempfile.TemporaryDirectory() as name, scratch_database() as make_variants:
        folder, variants = Path(name), make_variants(options.turns)
        redis = Redis(folder)
        redis.start()
        environment = {"LAYER_PREFIX": "bench", "LIVE_HANDSHAKES": "20000"}
        server = Daphne(folder, redis.url, **environment)
        worker = Worker(folder, redis.url, beat=True, **environment)
        try:
            with (
                publishing_through(make_layer(redis.url, PUBSUB_LAYER)),
                broker_at(redis.url),
            ):
                server.start()
                worker.start()
                topics = [f"stock:{pk}" for pk in variants]
                listeners = listen(server, options, topics, "en", folder / "out")
                moments = [flip(pk) for pk in variants]
                frames = heard(listeners, folder / "out")
        finally:
            worker.stop()
            server.stop()
            redis.stop()
    for pk, moment in zip(variants, moments):
        tell(pk, moment, frames, options.sockets)


def flip(variant: int) -> float:
    """Plan a sale and wait until it has begun; its first moment, on our clock."""
    from products.models import Sale, Variant
    from products.pricing import clock, flips

    ahead = clock.now().timestamp() - time.monotonic()
    begins = clock.now() + timedelta(seconds=LEAD_S)
    sale = Sale(name="Bench", percent=50, starts_at=begins)
    flips.save_sale(sale)
    sale.products.add(Variant.objects.get(pk=variant).product_id)
    time.sleep(LEAD_S + DRAIN_S)
    return datetime.timestamp(begins) - ahead


def tell(variant: int, moment: float, frames: list, sockets: int) -> None:
    """Print when the first and the last socket had the reduced price."""
    arrivals = []
    for socket in frames:
        seen = (at for at, text in socket if has_reduced_price(text, variant))
        if (first := next(seen, None)) is not None:
            arrivals.append(first - moment)
    if len(arrivals) < sockets:
        print(f"stock:{variant}: {sockets - len(arrivals)} sockets heard nothing")
    if arrivals:
        first, last = min(arrivals) * 1e3, max(arrivals) * 1e3
        print(f"{len(arrivals)} sockets: first {first:.0f} ms, last {last:.0f} ms")


def has_reduced_price(text: bytes, variant: int) -> bool:
    items = json.loads(text).get("items", [])
    return any(item[0] == f"stock:{variant}" and "was" in item[2] for item in items)


if __name__ == "__main__":
    main()
