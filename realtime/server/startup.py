"""Checks the limit of open files, and tunes the interpreter."""

import logging
import os
import sys

from django.conf import settings

from realtime import file_budget, files, roles
from realtime.server import garbage

logger = logging.getLogger("realtime.server")

# Seconds after which a thread that makes a page must yield to the event loop. The loop
# asks for the interpreter after each frame; Python's default is 5 ms.
SWITCH_INTERVAL_S = 0.001


def prepare() -> None:
    """Prepare the process for many sockets. Ends it if it may open too few files."""
    _raise_file_limit()
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    garbage.tune()


def end_process(code: int) -> None:
    """End at once, without waiting for threads."""
    logging.shutdown()
    os._exit(code)


def _raise_file_limit() -> None:
    files.raise_limit()
    if files.limit() < file_budget.needed():
        logger.critical(
            "The limit of open files is %s, and this server needs %s. Raise it: ulimit"
            " -n, LimitNOFILE= in systemd, ulimits in Compose",
            *(files.limit(), file_budget.needed()),
        )
        end_process(1)
    if roles.serves_sockets():
        _log_socket_limit()
    else:
        logger.info(
            "At most %s files may be open (%s at the start), for pages only",
            files.limit(),
            files.AT_START,
        )


def _log_socket_limit() -> None:
    is_short = file_budget.sockets() < settings.LIVE["SOCKETS"]
    logger.log(
        logging.WARNING if is_short else logging.INFO,
        "At most %s files may be open (%s at the start), so this process takes %s"
        " sockets; LIVE_SOCKETS is %s",
        *(
            files.limit(),
            files.AT_START,
            file_budget.sockets(),
            settings.LIVE["SOCKETS"],
        ),
    )
