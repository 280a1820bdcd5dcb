"""A database and a channel layer for one benchmark, gone afterwards."""

import contextlib
import itertools
import os
from collections.abc import Callable, Iterator, Sequence
from urllib.parse import urlsplit

from django.core.management import call_command
from django.db import connection
from django.utils.module_loading import import_string

CORE_LAYER = "channels_redis.core.RedisChannelLayer"  # the tutorial's
PUBSUB_LAYER = "channels_redis.pubsub.RedisPubSubChannelLayer"


@contextlib.contextmanager
def scratch_database() -> Iterator[Callable[[int], list[int]]]:
    """Use an empty, migrated database; gives a function that makes n products."""
    name = f"bench_{os.getpid()}"
    before = connection.settings_dict["NAME"]
    with connection.cursor() as cursor:
        cursor.execute(f'CREATE DATABASE "{name}"')
    connection.close()
    connection.settings_dict["NAME"] = name
    address = urlsplit(os.environ["DATABASE_URL"])
    os.environ["DATABASE_URL"] = address._replace(path=f"/{name}").geturl()
    try:
        call_command("migrate", verbosity=0)
        yield make_variants
    finally:
        connection.close()
        connection.settings_dict["NAME"] = before
        os.environ["DATABASE_URL"] = address.geturl()
        with connection.cursor() as cursor:
            cursor.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def in_turn(names: Sequence[str], number: int) -> list[str]:
    """The peers of a round, another one first in each: what else runs on the machine
    shall not meet the same one each time."""
    start = number % len(names)
    return [*names[start:], *names[:start]]


def make_variants(count: int) -> list[int]:
    """Variants with 100 units each, of a product each; their ids."""
    from products.catalogue import services as catalogue
    from products.models import Product, ProductCategory, Variant
    from products.stock import services as stock

    shelf = ProductCategory.objects.create(name="Bench", slug="bench")
    numbers = itertools.count(1)
    variants = [Variant(sku=f"P{n}", price=n) for n in itertools.islice(numbers, count)]
    for variant in variants:
        name = variant.sku
        product = Product(category=shelf, name=name, slug=f"product-{name.lower()}")
        catalogue.save(product, variants=[variant])
        stock.receive(variant.pk, 100)
    return [variant.pk for variant in variants]


def make_layer(redis_url: str, backend: str):
    """A channel layer; redis-py's read timeout would end its idle subscriptions."""
    hosts = [{"address": redis_url, "socket_timeout": None}]
    return import_string(backend)(hosts=hosts, prefix="bench")
