"""A background thread sends what other threads hand over."""

import queue
import threading
import weakref
from collections.abc import Callable

from realtime.sending import BackgroundSender


class Connection:
    """Keeps each batch until the test lets it pass."""

    def __init__(self) -> None:
        self.batches: list[list] = []
        self._may_send = threading.Semaphore(0)
        self._started: queue.Queue[None] = queue.Queue()

    def open(self) -> Callable[[list], None]:
        return self._send

    def _send(self, batch: list) -> None:
        self._started.put(None)
        self._may_send.acquire()
        self.batches.append(batch)

    def wait_until_sending(self) -> None:
        self._started.get(timeout=10)

    def let_pass(self, count: int = 1) -> None:
        self._may_send.release(count)


def keep_newer(waiting: int, item: int) -> int:
    return max(waiting, item)


def test_items_that_wait_are_sent_in_one_batch_in_their_order():
    connection = Connection()
    sender = BackgroundSender("test", connection.open)
    sender.put("first")
    connection.wait_until_sending()

    sender.put("second")
    sender.put("third")
    connection.let_pass(2)

    assert sender.flush(10)
    assert connection.batches == [["first"], ["second", "third"]]


def test_item_without_merge_takes_the_place_of_a_waiting_one_with_its_key():
    connection = Connection()
    sender = BackgroundSender("test", connection.open)
    sender.put(0)
    connection.wait_until_sending()

    for key, item in [("a", 1), ("b", 2), ("a", 3)]:
        sender.put(item, key=key)
    connection.let_pass(2)

    assert sender.flush(10)
    assert connection.batches == [[0], [3, 2]]


def test_item_with_the_key_of_a_waiting_one_is_merged_in_its_place():
    connection = Connection()
    sender = BackgroundSender("test", connection.open)
    sender.put(0)
    connection.wait_until_sending()

    for key, item in [("a", 2), ("b", 7), ("a", 3), ("a", 1)]:
        sender.put(item, key=key, merge=keep_newer)
    connection.let_pass(2)

    assert sender.flush(10)
    assert connection.batches == [[0], [3, 7]]


def test_items_beyond_the_limit_are_dropped():
    connection = Connection()
    sender = BackgroundSender("test", connection.open, batch_size=1, max_waiting=2)
    sender.put("being sent")
    connection.wait_until_sending()

    for item in ("one", "two", "three"):
        sender.put(item)
    connection.let_pass(4)

    assert sender.flush(10)
    assert connection.batches == [["being sent"], ["one"], ["two"]]


def test_flush_fails_until_the_last_batch_is_sent():
    connection = Connection()
    sender = BackgroundSender("test", connection.open)
    assert sender.flush(0)

    sender.put("item")
    connection.wait_until_sending()
    assert not sender.flush(0)

    connection.let_pass()
    assert sender.flush(10)


def test_put_never_waits_for_a_batch_that_is_being_sent():
    connection = Connection()
    sender = BackgroundSender("test", connection.open)
    sender.put("stuck")
    connection.wait_until_sending()

    for _ in range(1000):
        sender.put("item")

    connection.let_pass(2)
    assert sender.flush(10)
    assert [len(batch) for batch in connection.batches] == [1, 1000]


def test_sender_refers_to_no_item_that_it_has_sent():
    class Item:
        pass

    item = Item()
    is_gone = threading.Event()
    sender = BackgroundSender("test", lambda: lambda batch: None)
    weakref.finalize(item, is_gone.set)

    sender.put(item)
    del item

    assert is_gone.wait(10)


def test_sender_starts_afresh_after_a_fork():
    connection = Connection()
    sender = BackgroundSender("test", connection.open)
    sender.put("of the parent")
    connection.wait_until_sending()

    sender._reset()  # what a fork runs in the child

    assert sender.flush(0)
    connection.let_pass(2)
    sender.put("of the child")
    assert sender.flush(10)
    assert ["of the child"] in connection.batches
