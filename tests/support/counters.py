"""What this process has counted."""

from prometheus_client import REGISTRY


def counted(name: str) -> float:
    """The value of a metric without labels."""
    value = REGISTRY.get_sample_value(name)
    assert value is not None, name
    return value
