"""Sends messages of other threads in the background, without making them wait."""

import atexit
import itertools
import os
import threading
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

EXIT_TIMEOUT_S = 2

Item = TypeVar("Item")
Send = Callable[[list[Item]], None]


class BackgroundSender(Generic[Item]):
    """A daemon thread that sends items in the order in which they were put.

    `open_connection()` is called on that thread, before its first item, and returns a
    function that sends a batch of items and raises nothing. A batch has at most
    `batch_size` items, and at most `max_waiting` items wait; both are unlimited by
    default.

    A forked process starts with nothing to send, and with a thread and a connection of
    its own. A process that ends waits up to two seconds until all is sent.
    """

    def __init__(
        self,
        name: str,
        open_connection: Callable[[], Send[Item]],
        *,
        batch_size: int | None = None,
        max_waiting: int | None = None,
    ) -> None:
        self.name, self._open_connection = name, open_connection
        self._batch_size, self._max_waiting = batch_size, max_waiting
        self._reset()
        os.register_at_fork(after_in_child=self._reset)
        atexit.register(self.flush, EXIT_TIMEOUT_S)

    def _reset(self) -> None:
        self._changed = threading.Condition()
        self._waiting: dict[Hashable, Item] = {}
        self._is_sending = False
        self._thread: threading.Thread | None = None  # threads do not survive a fork

    def put(
        self,
        item: Item,
        *,
        key: Hashable = None,
        merge: Callable[[Item, Item], Item] | None = None,
    ) -> None:
        """Send an item soon, or drop it if too many wait.

        If an item with the same key waits, `merge(waiting, item)` takes its place, or
        `item` itself without `merge`.
        """
        with self._changed:
            if key is None:
                key = object()
            if key in self._waiting:
                if merge is not None:
                    item = merge(self._waiting[key], item)
            elif len(self._waiting) == self._max_waiting:
                return
            self._waiting[key] = item
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._run, name=self.name, daemon=True
                )
                self._thread.start()
            self._changed.notify_all()

    def flush(self, timeout: float) -> bool:
        """Wait `timeout` seconds until all is sent. Return whether it is."""
        with self._changed:
            return self._changed.wait_for(self._is_idle, timeout)

    def _is_idle(self) -> bool:
        return not self._waiting and not self._is_sending

    def _run(self) -> None:
        send = self._open_connection()
        while True:
            batch = self._take()
            send(batch)
            del batch  # an item may refer to a whole request
            with self._changed:
                self._is_sending = False
                self._changed.notify_all()

    def _take(self) -> list[Item]:
        """Wait for items, and remove a batch of them."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting)
            keys = list(itertools.islice(self._waiting, self._batch_size))
            self._is_sending = True
            return [self._waiting.pop(key) for key in keys]
