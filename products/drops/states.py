"""The states of a drop and of its tickets, and the moves between them, as tables.

Services, pages and forms read these tables and name no state themselves.

    planned ─start→ running ⇄ paused      running | paused ─sell out→ sold out
    sold out ─reopen→ running             any of them ─stop→ stopped

    waiting ─admit→ admitted ─buy→ bought      waiting | admitted ─pass→ passed
"""

from dataclasses import dataclass

from django.db.models import TextChoices
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

Text = str | Promise


class Status(TextChoices):
    """The value in a drop's row, and how staff read it."""

    PLANNED = "planned", _("planned")
    RUNNING = "running", _("running")
    PAUSED = "paused", _("paused")
    SOLD_OUT = "sold_out", _("sold out")
    STOPPED = "stopped", _("stopped")


@dataclass(frozen=True)
class State:
    """What a drop does in a status."""

    status: Status
    joins: bool = False  # people may take a ticket
    admits: bool = False  # the next people are let in
    moves_on: bool = False  # places are given, turns end
    is_lively: bool = False  # it does so every second
    is_over: bool = False  # units are sold normally again


PLANNED = State(Status.PLANNED, joins=True)
RUNNING = State(Status.RUNNING, joins=True, admits=True, moves_on=True, is_lively=True)
PAUSED = State(Status.PAUSED, joins=True, moves_on=True, is_lively=True)
SOLD_OUT = State(Status.SOLD_OUT, moves_on=True)
STOPPED = State(Status.STOPPED, is_over=True)
STATES = {
    state.status: state for state in (PLANNED, RUNNING, PAUSED, SOLD_OUT, STOPPED)
}


@dataclass(frozen=True, eq=False)
class Move:
    """A change of a drop's status. Moves with a button are made by staff."""

    name: str
    sources: tuple[State, ...]
    to: State
    button: Text = ""
    done: Text = ""
    is_final: bool = False

    def allows(self, status: str) -> bool:
        """Return whether a drop with this status can make the move."""
        return status in {state.status for state in self.sources}


START = Move("start", (PLANNED,), RUNNING)
SELL_OUT = Move("sell-out", (RUNNING, PAUSED), SOLD_OUT)
REOPEN = Move("reopen", (SOLD_OUT,), RUNNING)
PAUSE = Move(
    *("pause", (RUNNING,), PAUSED),
    button=_("Pause"),
    done=_("Nobody else is let in until you resume the drop."),
)
RESUME = Move(
    *("resume", (PAUSED,), RUNNING),
    button=_("Resume"),
    done=_("The drop goes on."),
)
STOP = Move(
    *("stop", (PLANNED, RUNNING, PAUSED, SOLD_OUT), STOPPED),
    button=_("Stop and sell normally"),
    done=_("The drop is over. What is left is sold normally."),
    is_final=True,
)
MOVES = (START, SELL_OUT, REOPEN, PAUSE, RESUME, STOP)
STAFF_MOVES = {move.name: move for move in MOVES if move.button}

LIVELY = tuple(s.status for s in STATES.values() if s.is_lively)
MOVING = tuple(s.status for s in STATES.values() if s.moves_on)
CURRENT = tuple(s.status for s in STATES.values() if not s.is_over)


class Turn(TextChoices):
    """The value in a ticket's row."""

    WAITING = "waiting", _("waiting")
    ADMITTED = "admitted", _("admitted")
    BOUGHT = "bought", _("bought")
    PASSED = "passed", _("passed on")


# A person has at most one ticket in these states.
LIVE = (Turn.WAITING, Turn.ADMITTED, Turn.BOUGHT)
# Of two tickets of one person, that with the earlier state here is kept.
BEST_FIRST = (Turn.BOUGHT, Turn.ADMITTED, Turn.WAITING)
