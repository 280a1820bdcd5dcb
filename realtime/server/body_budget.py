"""How many bytes of request bodies one process holds."""

from collections import Counter
from collections.abc import Hashable

from django.conf import settings


class BodyBudget:
    """Limits the sum of all bodies. One address may use half of it."""

    def __init__(self) -> None:
        self.total = 0
        self._by_address: Counter[Hashable] = Counter()

    def take(self, address: str | None, size: int) -> bool:
        """Count `size` more bytes and return True, or return False if that is too many.

        An address of None has no limit of its own.
        """
        limit = settings.HTTP["BODIES_BYTES"]
        if self.total + size > limit:
            return False
        if address is not None and self._by_address[address] + size > limit / 2:
            return False
        self.total += size
        if address is not None:
            self._by_address[address] += size
        return True

    def give_back(self, address: str | None, size: int) -> None:
        self.total -= size
        if address is not None:
            self._by_address[address] -= size
            if not self._by_address[address]:
                del self._by_address[address]
