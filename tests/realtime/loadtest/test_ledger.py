"""When the changes that sockets receive began."""

from realtime.loadtest.ledger import Ledger


def test_change_starts_with_the_only_pending_request():
    ledger = Ledger()
    start = ledger.begin("stock:1")

    frame = ledger.read(b'{"t":"upd","items":[["stock:1",2,{"available":3}]]}')

    assert frame.start == start


def test_change_has_no_start_if_two_requests_are_pending():
    ledger = Ledger()
    ledger.begin("stock:1"), ledger.begin("stock:1")

    frame = ledger.read(b'{"t":"upd","items":[["stock:1",2,{"available":3}]]}')

    assert frame.start is None


def test_change_starts_with_its_commit_by_our_clock():
    ledger = Ledger()
    ledger.offset = 2.0
    ledger.begin("stock:1")

    frame = ledger.read(
        b'{"t":"upd","ts":10000,"items":[["stock:1",2,{"available":3}]]}'
    )

    assert frame.start == 8.0
    assert ledger.uses_commit_times
