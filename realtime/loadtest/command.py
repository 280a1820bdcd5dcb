"""From the flags to the exit code, for both who call it."""

import argparse
import asyncio
import contextlib
import subprocess
import sys
from collections.abc import AsyncIterator, Callable

from realtime import files
from realtime.loadtest import options as flags
from realtime.loadtest import report, team
from realtime.loadtest.gates import Verdict, expectation, judge
from realtime.loadtest.measures import Times
from realtime.loadtest.phases import Run, Unreachable
from realtime.loadtest.team import Refused, Team

Books = Callable[[], str | None]
NOBODY_REFUSED = expectation("failed_handshakes<1")
PROGRESS_S = 1.0
QUIETLY_S = 5
FILES_MORE = 200  # for people, who keep their connections, and for ourselves
IMPOSSIBLE = 2  # as for flags that mean nothing


def main(arguments: list[str] | None = None) -> int:
    """`python -m realtime.loadtest`; gives the exit code."""
    parser = argparse.ArgumentParser(
        prog="realtime.loadtest", description="Load a shop, and judge it."
    )
    flags.add_to(parser)
    options = parser.parse_args(arguments)
    try:
        flags.check(options)
    except ValueError as error:
        parser.error(str(error))
    return execute(options)


def execute(options: argparse.Namespace, books: Books | None = None) -> int:
    """Run the test, tell of it, give the exit code. `books` says what does not add up
    in the database, where that can be looked into."""
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
    """Judge what was counted, tell of it, give the exit code."""
    run.conclude()
    if books is not None and (complaint := books()):
        run.wrong.append(complaint)
    expected = [NOBODY_REFUSED, *run.options.expect]
    if any(each.name == NOBODY_REFUSED.name for each in run.options.expect):
        expected = run.options.expect
    verdict, sentences = judge(
        run.wrong, run.figures, expected, run.cut_short, run.late
    )
    report.write(run, verdict, sentences)
    print(report.table(run, verdict, sentences), flush=True)
    return verdict


async def measure(run: Run) -> None:
    """All phases, with progress on the standard error. Raises `Unreachable`."""
    async with _progress(run, lambda: team.progress(run)):
        await run.run()


async def measure_together(generators: Team) -> None:
    """The same by several. Raises `Unreachable`, `Refused`."""
    async with _progress(generators.run, generators.progress):
        await generators.lead()


def follow(options: argparse.Namespace) -> int:
    """Take part in somebody else's test, for those who joined on several processes."""
    try:
        if options.processes > 1:
            return _follow_often(options.processes)
        return asyncio.run(team.follow(options, allow_files))
    except (Refused, OSError) as error:
        if options.join != flags.PARENT:  # else the leader says it
            say(str(error))
        return IMPOSSIBLE
    except KeyboardInterrupt:
        return Verdict.INTERRUPTED


def _follow_often(processes: int) -> int:
    """As many of us as are to join; the leader tells the verdict."""
    command = [sys.executable, *sys.orig_argv[1:], "--processes", "1"]
    us = [subprocess.Popen(command) for _ in range(processes)]
    try:
        return max(each.wait() for each in us)
    finally:
        for each in us:
            each.terminate()
            each.wait()


def say(text: str) -> None:
    """A line for who watches."""
    end = "\n"
    start = "\r\x1b[K" if sys.stderr.isatty() else ""
    print(start + text, end=end, file=sys.stderr, flush=True)


def allow_files(sockets: int) -> str | None:
    """Each socket is an open file. Raises the limit; what to do if it is too low."""
    files.raise_limit()
    needed = sockets + FILES_MORE
    if files.limit() >= needed:
        return None
    return (
        f"{sockets:,} sockets need {needed:,} open files, and this process may have"
        f" {files.limit():,}: raise its hard limit (ulimit -Hn {needed}), or ask for"
        f" --sockets {max(1, files.limit() - FILES_MORE)} for each of the --processes"
    )


@contextlib.asynccontextmanager
async def _progress(run: Run, told: Callable[[], team.Told]) -> AsyncIterator[None]:
    showing = asyncio.create_task(_show(run, told))
    try:
        yield
    finally:
        showing.cancel()
        await asyncio.gather(showing, return_exceptions=True)


async def _show(run: Run, told: Callable[[], team.Told]) -> None:
    """One line that is written over, or, in a log, one now and then."""
    is_terminal = sys.stderr.isatty()
    while True:
        await asyncio.sleep(PROGRESS_S if is_terminal else QUIETLY_S)
        start, end = ("\r\x1b[K", "") if is_terminal else ("", "\n")
        print(start + progress(run, told()), end=end, file=sys.stderr, flush=True)


def progress(run: Run, told: team.Told) -> str:
    """Where it is."""
    times = Times()
    times.merge(told["push"])
    return (
        f"{run.ledger.now:5.0f} s {run.phase:<9} {told.get('live', 0)} sockets, "
        f"{told.get('pushes', 0):,} frames, push p99 "
        f"{report.number(times.summary()['p99'])} ms, {told.get('orders', 0)} orders"
    )
