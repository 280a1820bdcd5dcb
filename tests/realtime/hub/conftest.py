"""What the hub queries and renders."""

from collections import Counter

import pytest

from products.live.registry import registry


@pytest.fixture
def loads(monkeypatch) -> list[list[str]]:
    """The keys of each load from the database."""
    loads = []
    load = registry.load

    def counting_load(keys):
        loads.append(sorted(keys))
        return load(keys)

    monkeypatch.setattr(registry, "load", counting_load)
    return loads


@pytest.fixture
def renders(monkeypatch) -> Counter:
    """How often each topic was rendered, by key and language."""
    renders = Counter()
    render = registry.render

    def counting_render(key, state, language):
        renders[key, language] += 1
        return render(key, state, language)

    monkeypatch.setattr(registry, "render", counting_render)
    return renders
