"""Keeps Python's garbage collector from searching what holds no garbage."""

import gc

YOUNG_OBJECTS = 10_000  # created before the collector looks at them; Python has 700
# Sockets between two freezes. With more, Python would search by itself in between.
FREEZE_EVERY = 50


def tune() -> None:
    """Collect less often, and never search what exists now."""
    gc.set_threshold(YOUNG_OBJECTS)
    freeze()


def freeze() -> None:
    """Collect once. Later collections skip the objects that exist now."""
    gc.collect()
    gc.freeze()
