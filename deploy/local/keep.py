"""keep.py COMMAND …: run a command, and start it again whenever it dies.

The pause before the next start doubles up to half a minute while the command keeps
dying, and is short again once it has run for a minute. SIGTERM and SIGINT end both.
"""

import os
import signal
import subprocess
import sys
import time

FIRST_S, LONGEST_S = 1.0, 30.0
STEADY_S = 60.0  # after so long, a command counts as stable


class Keeper:
    """Keeps one command running until it is told to stop."""

    def __init__(self, command: list[str]) -> None:
        self.command = command
        self.child: subprocess.Popen[bytes] | None = None
        self.is_over = False

    def stop(self, number: int, _frame: object) -> None:
        """Pass the signal on, and do not start the command again."""
        self.is_over = True
        if self.child:
            self.child.send_signal(number)

    def run(self) -> int:
        """Return the exit code of the last run."""
        pause = FIRST_S
        while True:
            begun = time.monotonic()
            self.child = subprocess.Popen(self.command)
            code = self.child.wait()
            if self.is_over:
                return code
            if time.monotonic() - begun > STEADY_S:
                pause = FIRST_S
            print(f"{how(code)} Starting it again in {pause:.0f} s.", flush=True)
            self._wait(pause)
            if self.is_over:
                return code
            pause = min(2 * pause, LONGEST_S)

    def _wait(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end and not self.is_over:
            time.sleep(0.1)


def how(code: int) -> str:
    """Return a sentence that says how the command ended."""
    if code < 0:
        return f"It was killed (signal {-code})."
    return f"It ended (exit {code})."


def main() -> int:
    keeper = Keeper(sys.argv[1:])
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, keeper.stop)
    try:
        code = keeper.run()
    except OSError as error:
        print(f"{sys.argv[1]}: {error.strerror}", file=sys.stderr)
        return os.EX_UNAVAILABLE
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main())
