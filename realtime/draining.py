"""Whether this process is being stopped: it takes no more visitors, and asks those it
has to come back elsewhere."""

_is_draining = False


def begin() -> None:
    global _is_draining
    _is_draining = True


def is_draining() -> bool:
    return _is_draining
