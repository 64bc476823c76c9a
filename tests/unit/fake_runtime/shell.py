"""A small shell: runs scripts in processes of a machine."""

import asyncio
import contextlib
import re
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager

from tests.unit.fake_runtime import syntax
from tests.unit.fake_runtime.machine import execute
from tests.unit.fake_runtime.parser import BadScript, Parser
from tests.unit.fake_runtime.process import Exit, Process, describe
from tests.unit.fake_runtime.streams import Held, Nothing, OpenFile, Pipe, PipeEnd
from tests.unit.fake_runtime.words import Unset, fields, pattern, single


class Break(Exception):
    def __init__(self, levels: int) -> None:
        super().__init__(levels)
        self.levels = levels


class Continue(Break):
    pass


class Return(Exception):
    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class Shell:
    """The state of one shell: variables, functions, options, and the processes it has in the background."""

    def __init__(self, process: Process, name: str, arguments: Sequence[str]) -> None:
        self.process = process
        self.name = name
        self.pid = process.pid
        self.arguments = list(arguments)
        self.variables = dict(process.environment)
        self.exported = set(process.environment)
        self.functions: dict[str, syntax.Command] = {}
        self.options: set[str] = set()
        self.status = 0
        self.jobs: list[Process] = []
        self.traps: dict[str, str] = {}
        self._tried = 0
        """How deep it is in conditions, whose failure ends no script."""

    # Variables.

    def value(self, name: str) -> str | None:
        special = {
            "?": str(self.status), "$": str(self.pid), "#": str(len(self.arguments)), "@": " ".join(self.arguments),
            "*": " ".join(self.arguments), "0": self.name, "-": "".join(sorted(self.options)),
            "!": str(self.jobs[-1].pid) if self.jobs else "", "PWD": self.process.cwd,
            "HOSTNAME": self.process.machine.hostname, "RANDOM": str(self.pid * 7 % 32768),
        }  # fmt: skip
        if name in special:
            return special[name]
        if name.isdigit():
            number = int(name)
            found = self.arguments[number - 1] if number <= len(self.arguments) else None
        else:
            found = self.variables.get(name)
        if found is None and "u" in self.options:
            raise Unset(f"{name}: unbound variable")
        return found

    def assign(self, name: str, value: str) -> None:
        self.variables[name] = value
        if name in self.exported:
            self.process.environment[name] = value

    def export(self, name: str) -> None:
        self.exported.add(name)
        if name in self.variables:
            self.process.environment[name] = self.variables[name]

    def unset(self, name: str) -> None:
        self.variables.pop(name, None)
        self.exported.discard(name)
        self.process.environment.pop(name, None)
        self.functions.pop(name, None)

    # Scripts.

    async def run(self, text: str) -> int:
        """A whole script; its status. The trap for the end is run."""
        try:
            try:
                await self.source(text)
                await self.run_traps()
                status = self.status
            except Exit as end:
                status = end.status
            except Unset as fault:
                await self.process.complain(f"{self.name}: {fault}")
                status = 1
            except Return as back:
                status = back.status
            if "EXIT" in self.traps:
                self.status = status
                await self.source(self.traps.pop("EXIT"))
        except Exit as end:
            status = end.status
        return status

    async def source(self, text: str) -> int:
        try:
            script = Parser(text).script()
        except (BadScript, ValueError, IndexError) as fault:
            await self.process.complain(f"{self.name}: {fault}")
            self.status = 2
            return 2
        return await self._sequence(script)

    async def output_of(self, script: syntax.Sequence) -> str:
        pipe = Pipe()
        reading, writing = Held(PipeEnd(pipe, reading=True)), Held(PipeEnd(pipe, reading=False))
        child = self._child({1: writing})
        child.begin(lambda process: self.fork(process).finish(script))
        parts: list[bytes] = []
        while part := await reading.stream.read(1 << 16):
            parts.append(part)
        self.status = await child.wait()
        reading.close()
        return b"".join(parts).replace(b"\0", b"").decode("utf-8", "surrogateescape")

    def fork(self, process: Process) -> "Shell":
        """This shell in a process of its own."""
        other = Shell(process, self.name, self.arguments)
        other.pid = self.pid
        other.variables, other.exported = dict(self.variables), set(self.exported)
        other.functions, other.options, other.status = dict(self.functions), set(self.options), self.status
        return other

    async def finish(self, node: syntax.Sequence | syntax.Command | syntax.Item) -> int:
        """Run a part of a script as all that this process does."""
        try:
            match node:
                case syntax.Sequence():
                    await self._sequence(node)
                case syntax.Item():
                    await self._and_or(node)
                case _:
                    await self._command(node, last=True)
            await self.run_traps()
            status = self.status
        except Exit as end:
            status = end.status
        except (Return, Break):
            status = self.status
        except Unset as fault:
            await self.process.complain(f"{self.name}: {fault}")
            status = 1
        if "EXIT" in self.traps:
            with contextlib.suppress(Exit):
                await self.source(self.traps.pop("EXIT"))
        return status

    async def run_traps(self) -> None:
        """Do what is to be done for signals that came."""
        while self.process.pending:
            number = self.process.pending.pop(0)
            before = self.status
            await self.source(self.process.traps.get(number, ""))
            self.status = before

    async def _sequence(self, script: syntax.Sequence) -> int:
        self.status = 0 if not script.items else self.status
        for item in script.items:
            await self.run_traps()
            if item.background:
                await self._background(item)
            else:
                await self._and_or(item)
        return self.status

    async def _background(self, item: syntax.Item) -> None:
        child = self._child({0: Held(Nothing())})
        child.begin(lambda process: self.fork(process).finish(syntax.Item(item.first, item.rest)))
        self.jobs.append(child)
        self.status = 0
        await asyncio.sleep(0)

    async def _and_or(self, item: syntax.Item) -> None:
        await self._pipeline(item.first, tried=bool(item.rest))
        for index, (operator, pipeline) in enumerate(item.rest):
            if (operator == "&&") == (self.status == 0):
                await self._pipeline(pipeline, tried=index + 1 < len(item.rest))

    async def _pipeline(self, pipeline: syntax.Pipeline, *, tried: bool) -> None:
        self._tried += tried or pipeline.negated
        try:
            if len(pipeline.commands) == 1:
                await self._command(pipeline.commands[0])
            else:
                await self._pipe(pipeline.commands)
        finally:
            self._tried -= tried or pipeline.negated
        if pipeline.negated:
            self.status = int(self.status == 0)
        elif self.status and "e" in self.options and not self._tried and not tried:
            raise Exit(self.status)

    async def _pipe(self, commands: Sequence[syntax.Command]) -> None:
        children: list[Process] = []
        before: Held | None = None
        for index, command in enumerate(commands):
            streams: dict[int, Held] = {} if before is None else {0: before}
            before = None
            if index + 1 < len(commands):
                pipe = Pipe()
                before, streams[1] = Held(PipeEnd(pipe, reading=True)), Held(PipeEnd(pipe, reading=False))
            child = self._child(streams)
            child.begin(lambda process, command=command: self.fork(process).finish(command))
            children.append(child)
        statuses = [await child.wait() for child in children]
        failed = [status for status in statuses if status]
        self.status = (failed[-1] if failed else 0) if "pipefail" in self.options else statuses[-1]

    def _child(self, streams: dict[int, Held]) -> Process:
        held = {number: held.copy() for number, held in self.process.streams.items() if number not in streams}
        return self.process.fork(streams={**held, **streams})

    # Commands.

    async def _command(self, command: syntax.Command, *, last: bool = False) -> None:
        await asyncio.sleep(0)  # others have their turn, and signals arrive
        if isinstance(command, syntax.Function):
            self.functions[command.name] = command.body
            self.status = 0
            return
        if isinstance(command, syntax.Simple):
            await self._simple(command, last=last)
            return
        async with self._redirected(command.redirects) as opened:
            if not opened:
                return
            match command:
                case syntax.Group(subshell=True):
                    child = self._child({})
                    child.begin(lambda process: self.fork(process).finish(command.body))
                    self.status = await child.wait()
                case syntax.Group():
                    await self._sequence(command.body)
                case syntax.If():
                    await self._if(command)
                case syntax.While():
                    await self._while(command)
                case syntax.For():
                    await self._for(command)
                case syntax.Case():
                    await self._case(command)

    async def _holds(self, condition: syntax.Sequence) -> bool:
        self._tried += 1
        try:
            return await self._sequence(condition) == 0
        finally:
            self._tried -= 1

    async def _if(self, command: syntax.If) -> None:
        for condition, body in command.branches:
            if await self._holds(condition):
                await self._sequence(body)
                return
        self.status = 0
        await self._sequence(command.otherwise)

    async def _while(self, command: syntax.While) -> None:
        status = 0
        while await self._holds(command.condition) != command.until:
            if await self._round(command.body):
                return
            status = self.status
        self.status = status

    async def _for(self, command: syntax.For) -> None:
        words = self.arguments if command.words is None else await fields(self, command.words)
        self.status = 0
        for word in words:
            self.assign(command.name, word)
            if await self._round(command.body):
                return

    async def _round(self, body: syntax.Sequence) -> bool:
        """One round of a loop; whether it was the last."""
        try:
            await self._sequence(body)
        except Break as end:
            if end.levels > 1:
                raise type(end)(end.levels - 1) from end
            self.status = 0
            return not isinstance(end, Continue)
        return False

    async def _case(self, command: syntax.Case) -> None:
        word = await single(self, command.word)
        self.status = 0
        for patterns, body in command.arms:
            for one in patterns:
                if re.match(await pattern(self, one), word):
                    await self._sequence(body)
                    return

    async def _simple(self, command: syntax.Simple, *, last: bool) -> None:
        from tests.unit.fake_runtime.builtins import BUILTINS

        self.status, before = 0, self.status
        if any(isinstance(part, syntax.Variable) and part.name == "?" for word in command.words for part in word):
            self.status = before
        argv = await fields(self, command.words)
        given = {name: await single(self, word) for name, word in command.assignments}
        async with self._redirected(command.redirects, stay=argv == ["exec"]) as opened:
            if not opened:
                return
            if not argv:
                for name, value in given.items():
                    self.assign(name, value)
                return
            if argv[0] in self.functions:
                await self._call(self.functions[argv[0]], argv[1:])
                return
            if argv[0] in BUILTINS:
                self.status = before
                for name, value in given.items():
                    self.assign(name, value)
                await self._builtin(argv)
                return
            if last and not self.traps:
                self.process.environment |= given
                self.status = await execute(self.process, argv)
                return
            child = self.process.fork(argv)
            child.environment |= given
            child.begin(lambda process: execute(process, argv))
            self.status = await child.wait()

    async def _builtin(self, argv: list[str]) -> None:
        from tests.unit.fake_runtime.builtins import BUILTINS

        try:
            self.status = await BUILTINS[argv[0]](self, argv[1:])
        except OSError as error:
            if isinstance(error, BrokenPipeError):
                raise
            await self.process.complain(f"{self.name}: {argv[0]}: {describe(error)}")
            self.status = 1

    async def _call(self, body: syntax.Command, arguments: list[str]) -> None:
        before, self.arguments = self.arguments, arguments
        try:
            await self._command(body)
        except Return as back:
            self.status = back.status
        finally:
            self.arguments = before

    @asynccontextmanager
    async def _redirected(self, redirects: Sequence[syntax.Redirect], *, stay: bool = False) -> AsyncGenerator[bool]:
        """The process's streams as a command's redirections have them. False if one could not be opened."""
        process = self.process
        if not redirects:
            yield True
            return
        before = {number: held.copy() for number, held in process.streams.items()}
        opened = True
        try:
            for redirect in redirects:
                await self._redirect(redirect)
        except OSError as error:
            opened = False
            self.status = 1
            await process.complain(f"{self.name}: {describe(error)}")
        try:
            yield opened
        finally:
            gone, process.streams = (before, process.streams) if stay and opened else (process.streams, before)
            for held in gone.values():
                held.close()

    async def _redirect(self, redirect: syntax.Redirect) -> None:
        process, word = self.process, await single(self, redirect.word)
        match redirect.operator:
            case "<" | "<>":
                held = Held(await process.open(word))
            case ">":
                held = Held(await process.open(word, "w"))
            case ">>":
                held = Held(await process.open(word, "a"))
            case "<<":
                held = Held(OpenFile(bytearray(word.encode("utf-8", "surrogateescape"))))
            case "&>":
                held = Held(await process.open(word, "w"))
                self._put(2, held.copy())
            case _ if word == "-":
                if redirect.number in process.streams:
                    process.streams.pop(redirect.number).close()
                return
            case _:
                if not word.isdigit() or int(word) not in process.streams:
                    raise OSError(9, "Bad file descriptor", word)
                held = process.streams[int(word)].copy()
        self._put(redirect.number, held)

    def _put(self, number: int, held: Held) -> None:
        if number in self.process.streams:
            self.process.streams[number].close()
        self.process.streams[number] = held
