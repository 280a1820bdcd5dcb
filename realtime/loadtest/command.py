"""From the flags to the exit code, for both who call it."""

import argparse
import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Callable

from realtime import files
from realtime.loadtest import options as flags
from realtime.loadtest import report
from realtime.loadtest.gates import Verdict, expectation, judge
from realtime.loadtest.phases import Run, Unreachable

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
    if complaint := allow_files(options.sockets):
        say(complaint)
        return IMPOSSIBLE
    run = Run(options, say)
    try:
        asyncio.run(measure(run))
    except Unreachable as error:
        say(str(error))
        return Verdict.UNREACHABLE
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
    async with _progress(run):
        await run.run()


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
        f" --sockets {max(1, files.limit() - FILES_MORE)}"
    )


@contextlib.asynccontextmanager
async def _progress(run: Run) -> AsyncIterator[None]:
    showing = asyncio.create_task(_show(run))
    try:
        yield
    finally:
        showing.cancel()
        await asyncio.gather(showing, return_exceptions=True)


async def _show(run: Run) -> None:
    """One line that is written over, or, in a log, one now and then."""
    is_terminal = sys.stderr.isatty()
    while True:
        await asyncio.sleep(PROGRESS_S if is_terminal else QUIETLY_S)
        start, end = ("\r\x1b[K", "") if is_terminal else ("", "\n")
        print(start + progress(run), end=end, file=sys.stderr, flush=True)


def progress(run: Run) -> str:
    """Where it is."""
    live = sum(watcher.is_live for watcher in run.watchers)
    push = run.ledger.push.all.summary()
    return (
        f"{run.ledger.now:5.0f} s {run.phase:<9} {live} sockets, "
        f"{run.ledger.count['pushes']:,} frames, push p99 "
        f"{report.number(push['p99'])} ms, {len(run.placed)} orders"
    )
