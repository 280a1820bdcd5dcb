"""Several generators that make one load test: one process leads, the others follow.

They talk in lines of JSON: over a socket pair to processes of this machine, over TCP to
those of others, which must know a code first. All enter each phase together. Whoever
ends early ends the test; what the others have found until then is told.
"""

import argparse
import asyncio
import contextlib
import hashlib
import hmac
import json
import os
import secrets
import socket
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from realtime.loadtest import merging
from realtime.loadtest import options as flags
from realtime.loadtest.gates import Verdict
from realtime.loadtest.measures import Times
from realtime.loadtest.phases import Part, Run, Unreachable

ROOT = Path(__file__).resolve().parent.parent.parent
LINE = 1 << 28  # bytes: an hour's figures, second by second
HELLO_S = 10
GATHER_S = 600  # for those who join
GRACE_S = 15  # to tell what was found, once the test is over
PROGRESS_S = 1.0
Told = dict[str, Any]


class Refused(Exception):
    """A generator cannot do what it is asked to: why."""


class Link:
    """Messages to and from the other side."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter):
        self._reader, self._writer = reader, writer

    def send(self, kind: str, **told: Any) -> None:
        if not self._writer.is_closing():
            self._writer.write(json.dumps({"t": kind} | told).encode() + b"\n")

    async def hear(self) -> Told | None:
        """The next message; None if the other side is gone."""
        try:
            line = await self._reader.readline()
            return json.loads(line) if line else None
        except (OSError, ValueError):
            return None

    async def close(self) -> None:
        self._writer.close()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()


# --- Who leads ----------------------------------------------------------------------


class Generator:
    """One of those who follow, as the leader knows it."""

    def __init__(self, name: str, link: Link, process: Any = None) -> None:
        self.name, self.link, self.process = name, link, process
        self.step = ""  # where it waits for the others
        self.progress: Told = {}
        self.is_over = False


class Team:
    """The leader's side of one load test. `run` gets what all of them find."""

    def __init__(self, run: Run) -> None:
        self.run, self.options = run, run.options
        self.generators: list[Generator] = []
        self._unreachable: str | None = None
        self._is_stopped = False

    async def lead(self) -> None:
        """All phases. Raises `Unreachable`, `Refused`."""
        try:
            await self._gather()
            await self._load()
        finally:
            await self._end()
        if self._unreachable is not None:
            raise Unreachable(self._unreachable)

    async def _gather(self) -> None:
        for _ in range(self.options.processes):
            self.generators.append(await self._start())
        if self.options.listen:
            await self._wait_for_others()
        of = len(self.generators)
        for index, generator in enumerate(self.generators):
            is_ours = generator.process is not None
            told = flags.told(self.options, is_ours)
            generator.link.send("load", options=told, index=index, of=of)
        for generator in self.generators:
            answer = await generator.link.hear()
            if answer is None:
                raise Refused(f"{generator.name} ended before it began")
            if answer["t"] != "ready":
                raise Refused(f"{generator.name}: {answer.get('why')}")

    async def _start(self) -> Generator:
        """A process of this machine; it ends when our end of the pair is closed."""
        ours, theirs = socket.socketpair()
        with theirs:
            path = os.pathsep.join(filter(None, [str(ROOT), os.getenv("PYTHONPATH")]))
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "realtime.loadtest", "--join", flags.PARENT),
                stdin=theirs,
                stdout=asyncio.subprocess.DEVNULL,
                env=os.environ | {"PYTHONPATH": path},
                start_new_session=True,  # Ctrl-C is for us; we tell them
            )
        reader, writer = await asyncio.open_connection(sock=ours, limit=LINE)
        name = f"Generator {len(self.generators) + 1}"
        return Generator(name, Link(reader, writer), process)

    async def _wait_for_others(self) -> None:
        code = self.options.code or secrets.token_urlsafe(12)
        wanted = self.options.processes + self.options.joining
        full = asyncio.Event()

        async def welcome(reader, writer) -> None:
            peer = writer.get_extra_info("peername")[0]
            try:
                async with asyncio.timeout(HELLO_S):
                    hello = await reader.readexactly(len(greeting(code)))
            except (TimeoutError, EOFError, OSError):
                hello = b""
            if not hmac.compare_digest(hello, greeting(code)) or full.is_set():
                self.run.say(f"{peer} was turned away")
                writer.close()
                return
            name = f"Generator {len(self.generators) + 1}, on {peer}"
            self.generators.append(Generator(name, Link(reader, writer)))
            self.run.say(f"{name}, has joined")
            if len(self.generators) == wanted:
                full.set()

        host, port = flags.place(self.options.listen)
        server = await asyncio.start_server(welcome, host, port, limit=LINE)
        port = server.sockets[0].getsockname()[1]
        self.run.say(
            f"waiting for {self.options.joining} to join: python -m realtime.loadtest "
            f"--join {host}:{port} --code {code}"
        )
        try:
            async with asyncio.timeout(GATHER_S):
                await full.wait()
        except TimeoutError:
            raise Refused(f"not all have joined within {GATHER_S} s") from None
        finally:
            server.close()

    async def _load(self) -> None:
        jobs = [asyncio.create_task(self._attend(each)) for each in self.generators]
        try:
            async with asyncio.timeout(self.run.limit + GRACE_S):
                await asyncio.wait(jobs)
        except TimeoutError:
            self._cut_short("not every generator ended in time")
        finally:  # after Ctrl-C too, they tell what they found
            self._stop()
            await asyncio.wait(jobs, timeout=GRACE_S)
            for job in jobs:
                job.cancel()
            await asyncio.gather(*jobs, return_exceptions=True)
        for job in jobs:
            if not job.cancelled():
                job.result()

    async def _attend(self, generator: Generator) -> None:
        """Hear one generator until it has told all, or is gone."""
        while not generator.is_over:
            told = await generator.link.hear()
            try:
                await self._take(generator, told)
            except (KeyError, TypeError, ValueError) as error:
                generator.is_over = True
                why = f"it told what means nothing ({type(error).__name__}: {error})"
                self._lose(generator, why)

    async def _take(self, generator: Generator, told: Told | None) -> None:
        kind = told and told["t"]
        if kind == "progress":
            generator.progress = told
        elif kind == "at":
            generator.step = told["step"]
            self._go_on(generator.step)
        elif kind == "found":
            generator.is_over = True
            merging.absorb(self.run, told["raw"])
            if self.run.cut_short is not None:
                self._stop()
        elif kind == "unreachable":
            generator.is_over = True
            self._unreachable = self._unreachable or told["why"]
            self._stop()
        else:
            generator.is_over = True
            code = generator.process and await self._code(generator.process)
            self._lose(generator, "" if code is None else f"exit code {code}")

    async def _code(self, process) -> int | None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(1):
                return await process.wait()
        return None

    def _go_on(self, step: str) -> None:
        if all(each.step == step for each in self.generators):
            if step in flags.PHASES:
                self.run.phase = step
                self.run.say(f"phase {step}")
            for each in self.generators:
                each.link.send("go", step=step)

    def _lose(self, generator: Generator, why: str) -> None:
        self.run.tally["generators"] += 1
        if not self._is_stopped:
            why = f" ({why})" if why else ""
            self._cut_short(f"{generator.name} of {len(self.generators)} ended{why}")
        self._stop()

    def _cut_short(self, what: str) -> None:
        why = f"In phase {self.run.phase} {what}: its part is missing."
        self.run.cut_short = self.run.cut_short or (Verdict.UNFINISHED, why)

    def _stop(self) -> None:
        if not self._is_stopped:
            self._is_stopped = True
            for generator in self.generators:
                generator.link.send("stop")

    async def _end(self) -> None:
        """Nobody goes on without us."""
        for generator in self.generators:
            await generator.link.close()
        for process in (g.process for g in self.generators if g.process is not None):
            try:
                async with asyncio.timeout(
                    GRACE_S if process.returncode is None else 1
                ):
                    await process.wait()
            except TimeoutError:
                process.kill()
                await process.wait()

    def progress(self) -> Told:
        """Where all of them are together."""
        return added_up([each.progress for each in self.generators if each.progress])


def greeting(code: str) -> bytes:
    """What who joins says first, always as long."""
    return hashlib.sha256(code.encode()).hexdigest().encode()


def progress(run: Run) -> Told:
    """Where one generator is, so that it can be added up."""
    return {
        "live": sum(watcher.is_live for watcher in run.watchers),
        "pushes": run.ledger.count["pushes"],
        "orders": len(run.placed),
        "push": run.ledger.push.all.raw(),
    }


def added_up(told: list[Told]) -> Told:
    sums: Counter[str] = Counter()
    times = Times()
    for each in told:
        sums.update({name: int(each[name]) for name in ("live", "pushes", "orders")})
        times.merge(each["push"])
    return dict(sums) | {"push": times.raw()}


# --- Who follows --------------------------------------------------------------------

Allow = Callable[[int], str | None]


async def follow(own: argparse.Namespace, allow: Allow) -> int:
    """One generator: does what the leader says; gives the exit code."""
    if own.join == flags.PARENT:
        pair = socket.socket(fileno=os.dup(sys.stdin.fileno()))
        reader, writer = await asyncio.open_connection(sock=pair, limit=LINE)
    else:
        host, port = flags.place(own.join)
        reader, writer = await asyncio.open_connection(host, port, limit=LINE)
        writer.write(greeting(own.code))
    link = Link(reader, writer)
    try:
        return await _follow(link, own, allow)
    finally:
        await link.close()


async def _follow(link: Link, own: argparse.Namespace, allow: Allow) -> int:
    told = await link.hear()
    if told is None:
        raise Refused(f"{own.join} turned us away")
    try:
        options = flags.heard(told["options"], own, int(told["of"]))
        if complaint := allow(-(-options.sockets // int(told["of"]))):
            raise ValueError(complaint)
    except (KeyError, TypeError, ValueError) as error:
        link.send("refused", why=str(error))
        raise Refused(str(error)) from error
    link.send("ready")
    return await _Follower(link, options, int(told["index"]), int(told["of"])).run_it()


class _Follower:
    def __init__(self, link: Link, options, index: int, of: int) -> None:
        self.link, self.gates = link, {}
        self.run = Run(options, lambda text: None, Part(index, of, self.meet))

    async def meet(self, step: str) -> None:
        self.gates[step] = asyncio.get_running_loop().create_future()
        self.link.send("at", step=step)
        await self.gates[step]

    async def run_it(self) -> int:
        load = asyncio.create_task(self.run.run())
        others = [
            asyncio.create_task(self._obey(load)),
            asyncio.create_task(self._say()),
        ]
        try:
            await asyncio.wait([load])
            self._tell(load)
            return 0
        finally:
            for job in (load, *others):
                job.cancel()
            await asyncio.gather(load, *others, return_exceptions=True)

    def _tell(self, load: asyncio.Task) -> None:
        error = None if load.cancelled() else load.exception()
        if isinstance(error, Unreachable):
            self.link.send("unreachable", why=str(error))
        elif error is not None:
            raise error
        else:
            self.link.send("found", raw=merging.raw(self.run))

    async def _obey(self, load: asyncio.Task) -> None:
        while (told := await self.link.hear()) is not None and told["t"] == "go":
            self.gates[told["step"]].set_result(None)
        load.cancel()  # we are to stop, or nobody leads us any more

    async def _say(self) -> None:
        while True:
            await asyncio.sleep(PROGRESS_S)
            self.link.send("progress", **progress(self.run))
