"""The flags and their limits. A load test of somebody else's shop is an attack."""

import argparse
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import urlsplit

from realtime.loadtest import processes, targets
from realtime.loadtest.gates import Expectation, expectation

PHASES = ("connect", "idle", "fanout", "shopping", "drop", "storm", "drain")
USUAL = tuple(phase for phase in PHASES if phase != "drop")
MOST_SOCKETS, MOST_RATE, MOST_SECONDS = 1_000_000, 5_000, 3_600
AUTO = 0  # one process for each processor
MOST_PROCESSES = 256  # and as many that join
PARENT = "-"  # joins the process that started us, on the standard input


def add_to(parser: argparse.ArgumentParser) -> None:
    """Add the flags of a load test to a parser."""
    _add_load(parser.add_argument)
    _add_drop(parser.add_argument)
    _add_checks_and_reports(parser.add_argument)
    _add_machines(parser.add_argument)


def _add_load(add: Callable[..., Any]) -> None:
    """Add the flags that say how much is done, and for how long."""
    add(
        "--url",
        default="http://localhost:8000",
        help="the shop, with its path (%(default)s)",
    )
    add("--sockets", type=_count(MOST_SOCKETS), default=200, help="(%(default)s)")
    add(
        *("--rate",),
        type=_number(MOST_RATE),
        default=100,
        help="sockets opened a second (%(default)s)",
    )
    add(
        *("--duration",),
        type=_number(MOST_SECONDS),
        default=20,
        help="seconds for idle, fan-out and shopping together (%(default)s)",
    )
    add(
        *("--phases",),
        type=_phases,
        default=USUAL,
        help="some of %s; connect and drain always run" % ",".join(PHASES),
    )
    add("--changes", type=_number(1000), default=20, help="stock changes a second")
    add("--products", type=_count(64), default=20, help="watched by each socket")
    add(
        *("--hidden",),
        type=_share,
        default=0.0,
        help="share of the sockets, 0 to 1, that belong to hidden tabs (%(default)s)",
    )
    add(
        "--buyers",
        type=_count(200),
        default=4,
        help="people who order at the same time",
    )
    add(
        *("--limit",),
        type=_number(2 * MOST_SECONDS),
        help="seconds after which it gives up (default: more than it should take)",
    )
    add(
        "--seed",
        type=int,
        default=1,
        help="the same seed makes people do the same things (%(default)s)",
    )


def _add_drop(add: Callable[..., Any]) -> None:
    """Add the flags of the phase `drop`."""
    add(
        "--drop",
        default="",
        metavar="SLUG",
        help="the drop of the phase drop: the last part of its page's address",
    )
    add(
        *("--people",),
        type=_count(MOST_SOCKETS),
        default=200,
        help="people in the waiting room of the drop (%(default)s)",
    )


def _add_checks_and_reports(add: Callable[..., Any]) -> None:
    """Add the flags that say what is checked, and where results are written."""
    add(
        "--quiet",
        type=_number(60),
        default=3,
        help="seconds to wait at the end before comparing",
    )
    add(
        *("--shared",),
        action="store_true",
        help="other people shop there too, so don't check that stock adds up",
    )
    add("--expect", type=_expectation, action="append", default=[], metavar="FIGURE")
    add("--json", metavar="FILE", help="write all figures as JSON")
    add("--html", metavar="FILE", help="write a report with plots as HTML")
    add("--csv", metavar="FILE", help="write a line for each second as CSV")


def _add_machines(add: Callable[..., Any]) -> None:
    """Add the flags about the shop's machine and those that load it."""
    add(
        *("--source",),
        action="append",
        default=[],
        metavar="ADDRESS",
        help="an address of this machine to connect from; can be repeated",
    )
    add(
        *("--processes",),
        type=_processes,
        default=1,
        metavar="N",
        help="processes that share the load, or auto for one per processor (1)",
    )
    add(
        *("--listen",),
        type=_place,
        metavar="HOST:PORT",
        help="lead a test that others join at this address",
    )
    add(
        *("--joining",),
        type=_count(MOST_PROCESSES),
        default=1,
        metavar="N",
        help="with --listen: how many processes will join (%(default)s)",
    )
    add(
        *("--join",),
        type=_leader,
        metavar="HOST:PORT",
        help="take part in a test whose leader listens at this address",
    )
    add("--code", default="", help="for --join: the code that the leader printed")
    add(
        *("--metrics",),
        type=_address,
        action="append",
        default=[],
        metavar="ADDRESS",
        help="the metrics of a server process, http://HOST:PORT/metrics or unix:/PATH;"
        " can be repeated (default: those of a make run here, or of --url)",
    )
    add("--metrics-token", default="", help="for /metrics, if the shop asks for one")
    add(
        "--i-own-this-host",
        default="",
        metavar="NAME",
        help="repeat the host's name to confirm that you may load it",
    )


def check(options: argparse.Namespace) -> None:
    """Check flags that depend on each other. Raises `ValueError`."""
    if options.processes == AUTO:
        options.processes = min(_processors(), options.sockets)
    if options.join:
        if options.join != PARENT and not options.code:
            raise ValueError("--join needs the --code that the leader printed")
        return  # the leader sends the rest
    if ("drop" in options.phases) != bool(options.drop):
        raise ValueError("the phase drop and --drop SLUG go together")
    if options.processes > options.sockets:
        raise ValueError(
            f"{options.processes} processes are too many for {options.sockets} sockets"
        )
    targets.check_target(options)
    if not options.metrics and targets.is_loopback(urlsplit(options.url).hostname):
        options.metrics = processes.of_make_run(options.url)
    processes.named(options.metrics)
    for file in filter(None, (options.json, options.html, options.csv)):
        _check_file(Path(file))  # before anything is measured
    others = options.joining if options.listen else 0
    targets.check_sources(options, options.processes / (options.processes + others))


# Flags that a leader sends to all followers, and those for its own machine alone.
SENT = (
    *("url", "sockets", "rate", "duration", "phases", "changes", "products"),
    *("buyers", "limit", "quiet", "seed", "hidden", "drop", "people"),
)
PRIVATE = ("i_own_this_host", "metrics_token")


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise ValueError(message)


def for_generator(options: argparse.Namespace, is_ours: bool) -> dict[str, Any]:
    """Return the flags that a generator needs, as plain values."""
    names = [*SENT, *PRIVATE] if is_ours else SENT
    values = {name: getattr(options, name) for name in names}
    ours = {"source": options.source, "metrics": options.metrics}
    return values | (ours if is_ours else {})


def from_leader(
    message: dict[str, Any], own: argparse.Namespace, of: int
) -> argparse.Namespace:
    """Return the flags of one of so many generators, from its leader's message.

    Raises `ValueError` for flags that are not allowed. Each process that joins
    decides which host it may load.
    """
    is_ours = own.join == PARENT
    known = {name: message[name] for name in SENT if message[name] is not None}
    known["phases"] = ",".join(message["phases"])
    if is_ours:
        known |= {name: message[name] for name in PRIVATE}
    else:
        known["i_own_this_host"] = own.i_own_this_host
    parser = _Parser(add_help=False)
    add_to(parser)
    options = parser.parse_args(
        [f"--{name.replace('_', '-')}={value}" for name, value in known.items()]
    )
    host = urlsplit(options.url).hostname
    if not is_ours and own.i_own_this_host != host:
        raise ValueError(
            f"the test loads {host}. If you may load it, join with "
            f"--i-own-this-host {host}"
        )
    targets.check_target(options)
    options.source = list(message["source"] if is_ours else own.source)
    options.metrics = list(message["metrics"]) if is_ours else []
    if not is_ours:
        targets.check_sources(options, 1 / of)
    return options


def place(text: str) -> tuple[str, int]:
    """Split an address into host and port. Raises `ValueError`."""
    host, colon, port = text.rpartition(":")
    if not colon or not host or not port.isdecimal() or int(port) > 65535:
        raise ValueError(f"{text!r} is not of the form HOST:PORT")
    return host.strip("[]"), int(port)


def _check_file(file: Path) -> None:
    if file.is_dir() or not os.access(file if file.exists() else file.parent, os.W_OK):
        raise ValueError(f"{file} cannot be written")


def _number(most: float) -> Callable[[str], float]:
    def number(text: str) -> float:
        value = float(text)
        if not 0 < value <= most:
            raise argparse.ArgumentTypeError(f"more than 0, at most {most:,}")
        return value

    return number


def _processes(text: str) -> int:
    return AUTO if text == "auto" else _count(MOST_PROCESSES)(text)


def _processors() -> int:
    """Return how many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _place(text: str) -> str:
    try:
        place(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return text


def _address(text: str) -> str:
    try:
        return processes.address(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _leader(text: str) -> str:
    return text if text == PARENT else _place(text)


def _share(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError("a share is between 0 and 1")
    return value


def _count(most: int) -> Callable[[str], int]:
    def count(text: str) -> int:
        return int(_number(most)(str(int(text))))

    return count


def _phases(text: str) -> tuple[str, ...]:
    names = {word.strip() for word in text.split(",")}
    if unknown := names - set(PHASES):
        raise argparse.ArgumentTypeError(f"no such phase: {', '.join(sorted(unknown))}")
    names |= {"connect", "drain"}
    return tuple(phase for phase in PHASES if phase in names)


def _expectation(text: str) -> Expectation:
    try:
        return expectation(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
