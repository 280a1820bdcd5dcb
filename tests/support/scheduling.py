"""Which process of pytest-xdist runs which file of tests next.

Some files keep a processor busy. Others mostly wait: for servers, timers and sockets.
Half of the processes begin with those that wait. So files of both kinds run at any
time, and processors are seldom idle. The files of browser tests go to few processes,
each of which starts Chromium once.
"""

from collections.abc import Iterable

from xdist.scheduler import LoadFileScheduling
from xdist.workermanage import WorkerController

WAITING = ("tests/deploy/", "tests/realtime/", "tests/system/")


def next_file(files: Iterable[str], *, waits: bool) -> str:
    """Return the first file that waits, or does not. Return the first of all files if
    none of the kind is left."""
    files = list(files)
    of_the_kind = (file for file in files if file.startswith(WAITING) == waits)
    return next(of_the_kind, files[0])


class BothKinds(LoadFileScheduling):
    """`--dist loadfile`, but processes with odd numbers begin with files that wait."""

    def _assign_work_unit(self, node: WorkerController) -> None:
        is_odd = int(node.gateway.id.removeprefix("gw")) % 2 == 1
        self.workqueue.move_to_end(next_file(self.workqueue, waits=is_odd), last=False)
        super()._assign_work_unit(node)
