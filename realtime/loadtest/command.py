"""From the flags to the exit code, for `python -m` and `manage.py`."""

import argparse
import asyncio
import contextlib
import subprocess
import sys
from collections.abc import AsyncIterator, Callable

from realtime import files
from realtime.loadtest import conclusions, follower, link
from realtime.loadtest import options as flags
from realtime.loadtest import report, report_text
from realtime.loadtest.gates import Verdict, expectation, judge
from realtime.loadtest.link import Refused
from realtime.loadtest.measures import Times
from realtime.loadtest.run import Run
from realtime.loadtest.team import Team
from realtime.loadtest.visit import Unreachable

Books = Callable[[], str | None]
NOBODY_REFUSED = expectation("failed_handshakes<1")
PROGRESS_S = 1.0
LOG_PROGRESS_S = 5  # if the output is not a terminal
OTHER_FILES = 200  # for people, who keep their connections, and for the process
IMPOSSIBLE = 2  # the same as for wrong flags


def main(arguments: list[str] | None = None) -> int:
    """Run `python -m realtime.loadtest`. Returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="realtime.loadtest",
        description="Load a shop with sockets and shoppers, and judge it.",
    )
    flags.add_to(parser)
    options = parser.parse_args(arguments)
    try:
        flags.check(options)
    except ValueError as error:
        parser.error(str(error))
    return execute(options)


def execute(options: argparse.Namespace, books: Books | None = None) -> int:
    """Run the test, report it, and return the exit code.

    `books` returns what is wrong in the shop's database. It is None where nobody can
    look into that.
    """
    if options.join:
        return follow(options)
    others = options.joining if options.listen else 0
    if complaint := allow_files(-(-options.sockets // (options.processes + others))):
        say(complaint)
        return IMPOSSIBLE
    run = Run(options, say)
    is_alone = options.processes == 1 and not options.listen
    try:
        asyncio.run(measure(run) if is_alone else measure_together(Team(run)))
    except Unreachable as error:
        say(str(error))
        return Verdict.UNREACHABLE
    except (Refused, OSError) as error:
        say(str(error))
        return IMPOSSIBLE
    except KeyboardInterrupt:
        run.cut_short = Verdict.INTERRUPTED, f"Interrupted in phase {run.phase}."
    return conclude(run, books)


def conclude(run: Run, books: Books | None = None) -> int:
    """Judge the measurements, report them, and return the exit code."""
    conclusions.conclude(run)
    if books is not None and (complaint := books()):
        run.wrong.append(complaint)
    expected = [NOBODY_REFUSED, *run.options.expect]
    if any(each.name == NOBODY_REFUSED.name for each in run.options.expect):
        expected = run.options.expect
    verdict, sentences = judge(
        run.wrong, run.figures, expected, run.cut_short, run.late
    )
    report.write(run, verdict, sentences)
    print(report_text.table(run, verdict, sentences, report.notes(run)), flush=True)
    return verdict


async def measure(run: Run) -> None:
    """Go through all phases, and show the progress. Raises `Unreachable`."""
    async with _progress(run, lambda: link.progress(run)):
        await run.run()


async def measure_together(generators: Team) -> None:
    """Do the same with several generators. Raises `Unreachable` or `Refused`."""
    async with _progress(generators.run, generators.progress):
        await generators.lead()


def follow(options: argparse.Namespace) -> int:
    """Take part in a test that another process leads. Returns the exit code."""
    try:
        if options.processes > 1:
            return _follow_with(options.processes)
        return asyncio.run(follower.follow(options, allow_files))
    except (Refused, OSError) as error:
        if options.join != flags.PARENT:  # otherwise the leader says it
            say(str(error))
        return IMPOSSIBLE
    except KeyboardInterrupt:
        return Verdict.INTERRUPTED


def _follow_with(processes: int) -> int:
    """Start processes that follow. The leader reports the verdict."""
    command = [sys.executable, *sys.orig_argv[1:], "--processes", "1"]
    followers = [subprocess.Popen(command) for _ in range(processes)]
    try:
        return max(process.wait() for process in followers)
    finally:
        for process in followers:
            process.terminate()
            process.wait()


def say(text: str) -> None:
    """Print a line of progress."""
    start = "\r\x1b[K" if sys.stderr.isatty() else ""
    print(start + text, file=sys.stderr, flush=True)


def allow_files(sockets: int) -> str | None:
    """Raise the limit of open files, one for each socket. Returns what to do if it
    is still too low."""
    files.raise_limit()
    needed = sockets + OTHER_FILES
    if files.limit() >= needed:
        return None
    return (
        f"{sockets:,} sockets need {needed:,} open files, and this process may have"
        f" {files.limit():,}: raise its hard limit (ulimit -Hn {needed}), or ask for"
        f" --sockets {max(1, files.limit() - OTHER_FILES)} for each of the --processes"
    )


@contextlib.asynccontextmanager
async def _progress(run: Run, get: Callable[[], link.Message]) -> AsyncIterator[None]:
    showing = asyncio.create_task(_show(run, get))
    try:
        yield
    finally:
        showing.cancel()
        await asyncio.gather(showing, return_exceptions=True)


async def _show(run: Run, get: Callable[[], link.Message]) -> None:
    """Overwrite one line on a terminal. Elsewhere, print a line now and then."""
    is_terminal = sys.stderr.isatty()
    while True:
        await asyncio.sleep(PROGRESS_S if is_terminal else LOG_PROGRESS_S)
        start, end = ("\r\x1b[K", "") if is_terminal else ("", "\n")
        print(start + progress_line(run, get()), end=end, file=sys.stderr, flush=True)


def progress_line(run: Run, message: link.Message) -> str:
    times = Times()
    times.merge(message["push"])
    p99 = report_text.number(times.summary()["p99"])
    return (
        f"{run.ledger.now:5.0f} s {run.phase:<9} {message.get('live', 0)} sockets, "
        f"{message.get('pushes', 0):,} frames, push p99 {p99} ms, "
        f"{message.get('orders', 0)} orders"
    )
