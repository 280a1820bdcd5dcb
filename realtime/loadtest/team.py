"""Several generators that make one load test: one process leads, the others follow.

All enter each phase together. If one ends early, the test ends, and the report has what
the others measured until then.
"""

import asyncio
import contextlib
import hmac
import os
import secrets
import socket
import sys
from pathlib import Path
from typing import Any

from realtime.loadtest import merging
from realtime.loadtest import options as flags
from realtime.loadtest.gates import Verdict
from realtime.loadtest.link import (
    MAX_LINE,
    Link,
    Message,
    Refused,
    added_up,
    greeting,
)
from realtime.loadtest.run import Run
from realtime.loadtest.visit import Unreachable

ROOT = Path(__file__).resolve().parent.parent.parent
HELLO_S = 10
GATHER_S = 600  # for others to join
GRACE_S = 15  # to send the results, once the test is over


class Generator:
    """A follower, as the leader knows it."""

    def __init__(self, name: str, link: Link, process: Any = None) -> None:
        self.name, self.link, self.process = name, link, process
        self.step = ""  # at which it waits for the others
        self.progress: Message = {}
        self.is_over = False


class Team:
    """Starts generators, leads them through the phases, and adds up in `run` what they
    measure."""

    def __init__(self, run: Run) -> None:
        self.run, self.options = run, run.options
        self.generators: list[Generator] = []
        self._unreachable: str | None = None
        self._is_stopped = False

    async def lead(self) -> None:
        """Go through all phases. Raises `Unreachable` or `Refused`."""
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
            options = flags.for_generator(self.options, is_ours)
            generator.link.send("load", options=options, index=index, of=of)
        for generator in self.generators:
            answer = await generator.link.receive()
            if answer is None:
                raise Refused(f"{generator.name} ended before it began")
            if answer["t"] != "ready":
                raise Refused(f"{generator.name}: {answer.get('why')}")

    async def _start(self) -> Generator:
        """Start a process here. It ends when our end of the pair is closed."""
        ours, theirs = socket.socketpair()
        with theirs:
            path = os.pathsep.join(filter(None, [str(ROOT), os.getenv("PYTHONPATH")]))
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "realtime.loadtest", "--join", flags.PARENT),
                stdin=theirs.fileno(),
                stdout=asyncio.subprocess.DEVNULL,
                env=os.environ | {"PYTHONPATH": path},
                start_new_session=True,  # Ctrl-C reaches only us; we stop them
            )
        reader, writer = await asyncio.open_connection(sock=ours, limit=MAX_LINE)
        name = f"Generator {len(self.generators) + 1}"
        return Generator(name, Link(reader, writer), process)

    async def _wait_for_others(self) -> None:
        code = self.options.code or secrets.token_urlsafe(12)
        wanted = self.options.processes + self.options.joining
        full = asyncio.Event()

        async def welcome(
            reader: asyncio.StreamReader, writer: asyncio.StreamWriter
        ) -> None:
            peer = writer.get_extra_info("peername")[0]
            try:
                async with asyncio.timeout(HELLO_S):
                    hello = await reader.readexactly(len(greeting(code)))
            except (TimeoutError, EOFError, OSError):
                hello = b""
            if not hmac.compare_digest(hello, greeting(code)) or full.is_set():
                self.run.say(f"{peer} was refused: wrong code, or enough have joined")
                writer.close()
                return
            name = f"Generator {len(self.generators) + 1} on {peer}"
            self.generators.append(Generator(name, Link(reader, writer)))
            self.run.say(f"{name} has joined")
            if len(self.generators) == wanted:
                full.set()

        host, port = flags.place(self.options.listen)
        server = await asyncio.start_server(welcome, host, port, limit=MAX_LINE)
        port = server.sockets[0].getsockname()[1]
        self.run.say(
            f"waiting for {self.options.joining} to join: python -m realtime.loadtest "
            f"--join {host}:{port} --code {code}"
        )
        try:
            async with asyncio.timeout(GATHER_S):
                await full.wait()
        except TimeoutError:
            raise Refused(f"Not all joined within {GATHER_S} s") from None
        finally:
            server.close()

    async def _load(self) -> None:
        jobs = [asyncio.create_task(self._attend(each)) for each in self.generators]
        try:
            async with asyncio.timeout(self.run.limit + GRACE_S):
                await asyncio.wait(jobs)
        except TimeoutError:
            self._cut_short("not every generator ended in time")
        finally:  # after Ctrl-C too, they send what they measured
            self._stop()
            await asyncio.wait(jobs, timeout=GRACE_S)
            for job in jobs:
                job.cancel()
            await asyncio.gather(*jobs, return_exceptions=True)
        for job in jobs:
            if not job.cancelled():
                job.result()

    async def _attend(self, generator: Generator) -> None:
        """Receive the messages of one generator until it has finished, or is gone."""
        while not generator.is_over:
            message = await generator.link.receive()
            try:
                await self._handle(generator, message)
            except (KeyError, TypeError, ValueError) as error:
                generator.is_over = True
                why = f"invalid message, {type(error).__name__}: {error}"
                self._lose(generator, why)

    async def _handle(self, generator: Generator, message: Message | None) -> None:
        if message is None:
            await self._has_ended(generator)
        elif (kind := message["t"]) == "progress":
            generator.progress = message
        elif kind == "at":
            generator.step = message["step"]
            self._continue(generator.step)
        elif kind == "results":
            generator.is_over = True
            merging.absorb(self.run, message["raw"])
            if self.run.cut_short is not None:
                self._stop()
        elif kind == "unreachable":
            generator.is_over = True
            self._unreachable = self._unreachable or message["why"]
            self._stop()
        else:
            await self._has_ended(generator)

    async def _has_ended(self, generator: Generator) -> None:
        generator.is_over = True
        code = generator.process and await self._code(generator.process)
        self._lose(generator, "" if code is None else f"exit code {code}")

    async def _code(self, process: asyncio.subprocess.Process) -> int | None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(1):
                return await process.wait()
        return None

    def _continue(self, step: str) -> None:
        if all(each.step == step for each in self.generators):
            if step in flags.PHASES:
                self.run.phase = step
                self.run.say(f"phase {step}")
            for each in self.generators:
                each.link.send("go", step=step)

    def _lose(self, generator: Generator, why: str) -> None:
        """End the test, as a generator has ended."""
        self.run.tally["generators"] += 1
        if not self._is_stopped:
            why = f" ({why})" if why else ""
            self._cut_short(f"{generator.name} of {len(self.generators)} ended{why}")
        self._stop()

    def _cut_short(self, what: str) -> None:
        why = f"In phase {self.run.phase} {what}. Its results are missing."
        self.run.cut_short = self.run.cut_short or (Verdict.UNFINISHED, why)

    def _stop(self) -> None:
        if not self._is_stopped:
            self._is_stopped = True
            for generator in self.generators:
                generator.link.send("stop")

    async def _end(self) -> None:
        """End all generators."""
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

    def progress(self) -> Message:
        """Return how far all of them are together."""
        return added_up([each.progress for each in self.generators if each.progress])
