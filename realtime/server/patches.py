"""Library functions and tables that the server replaces as a whole."""

from http import HTTPStatus

from autobahn.twisted import websocket as autobahn_twisted
from autobahn.websocket import protocol as autobahn_protocol
from twisted.internet import tcp
from twisted.web.http import RESPONSES


def apply() -> None:
    """Patch Autobahn and Twisted. Applying it twice does no harm."""
    _skip_autobahn_log_formatting()
    _complete_twisted_statuses()
    _release_reserved_file()


def _skip_autobahn_log_formatting() -> None:
    """Autobahn formats its options, and colours names and values, for its log at every
    connection, even if nothing is logged. That takes a quarter of a handshake."""
    setattr(autobahn_protocol, "pformat", _unchanged)
    for module in (autobahn_protocol, autobahn_twisted):
        setattr(module, "hltype", _unchanged)
        setattr(module, "hlval", _unchanged)


def _unchanged(value: object) -> object:
    return value


def _complete_twisted_statuses() -> None:
    """Twisted lacks the reason phrases of some statuses."""
    for status in HTTPStatus:
        RESPONSES.setdefault(int(status), status.phrase.encode())


def _release_reserved_file() -> None:
    """Leave connections in the system's queue when there are no files for them.

    With a reserved file, Twisted would accept such connections, close them at once and
    log each one.
    """
    tcp._reservedFD = tcp._NullFileDescriptorReservation()
