"""The settings of tests."""

import sys
import threading

from django.conf import settings
from django.test import override_settings


def test_settings_can_be_read_by_threads_while_a_test_changes_them():
    is_over, errors = threading.Event(), []

    def read() -> None:
        while not is_over.is_set():
            try:
                settings.CURRENCY
            except AttributeError as error:
                errors.append(error)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    readers = [threading.Thread(target=read) for _ in range(2)]
    try:
        for reader in readers:
            reader.start()
        for _ in range(6000):
            with override_settings(CURRENCY="USD"):
                pass
    finally:
        is_over.set()
        sys.setswitchinterval(interval)
        for reader in readers:
            reader.join()

    assert errors == []
