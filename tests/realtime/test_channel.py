"""Connections that wait for their client."""

from types import SimpleNamespace

import pytest

from realtime.channel import Factory


class Silent:
    """A connection."""

    is_over = False

    def end(self) -> None:
        self.is_over = True


@pytest.fixture
def factory(settings) -> Factory:
    settings.HTTP = settings.HTTP | {"CONNECTIONS": 2}
    return Factory(SimpleNamespace(root_path="", line=None))


def test_connection_that_has_been_silent_longest_makes_room(factory):
    first, second, third, fourth = (Silent() for _ in range(4))

    for connection in (first, second, first, third):
        factory.waits(connection)
    assert (first.is_over, second.is_over, third.is_over) == (False, True, False)

    factory.waits_no_more(first)  # its request is being answered
    factory.waits(fourth)
    assert (first.is_over, third.is_over, fourth.is_over) == (False, False, False)


def test_connection_that_has_ended_makes_no_room_twice(factory):
    gone = Silent()
    factory.waits(gone)

    factory.waits_no_more(gone)
    factory.waits_no_more(gone)

    for connection in (Silent(), Silent()):
        factory.waits(connection)
        assert not connection.is_over
