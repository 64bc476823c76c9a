"""Commands of sandboxes: what they write, how they end, and what is written to them."""

import asyncio
import contextlib

from loopyard.runtime.errors import CommandNotFound
from loopyard.runtime.protocol import MOST_OUTPUT_BYTES, CommandResult, CommandSpec, Stream
from tests.unit.fake_runtime.process import Process
from tests.unit.fake_runtime.streams import Held, Kept, Nothing, Pipe, PipeEnd

LOST = CommandResult(exit_status=137, lost=True)


class Command:
    """One that runs or has ended. Its output outlives its sandbox."""

    def __init__(self, spec: CommandSpec, full_after: int | None = None) -> None:
        self.id = spec.id
        self._timeout = spec.timeout_seconds
        self.outputs: dict[Stream, Kept] = {
            "stdout": Kept(MOST_OUTPUT_BYTES, full_after),
            "stderr": Kept(MOST_OUTPUT_BYTES, full_after),
        }
        self._ended: asyncio.Future[CommandResult] = asyncio.get_running_loop().create_future()
        self._process: Process | None = None
        self._input: Held | None = None
        self._timed_out = False
        self.streams = {1: Held(self.outputs["stdout"]), 2: Held(self.outputs["stderr"]), 0: Held(Nothing())}
        if spec.attach_stdin:
            pipe = Pipe()
            self.streams[0] = Held(PipeEnd(pipe, reading=True))
            self._input = Held(PipeEnd(pipe, reading=False))

    @property
    def result(self) -> CommandResult | None:
        return self._ended.result() if self._ended.done() else None

    def follow(self, process: Process) -> None:
        """Have the process's end be the command's, and its time be limited."""
        self._process = process
        self._following = asyncio.get_running_loop().create_task(self._follow(process))

    async def _follow(self, process: Process) -> None:
        limit = None
        if self._timeout is not None:
            limit = asyncio.get_running_loop().call_later(self._timeout, self._time_out, process)
        status = await process.wait()
        if limit is not None:
            limit.cancel()
        lost: tuple[Stream, ...] = tuple(stream for stream, output in self.outputs.items() if output.lost)
        self.end(CommandResult(exit_status=status, timed_out=self._timed_out, truncated=lost))

    def _time_out(self, process: Process) -> None:
        self._timed_out = True
        process.machine.signal_group(process.group, 9)

    def end(self, result: CommandResult) -> None:
        """Tell how it ended, unless that is told."""
        if not self._ended.done():
            self._ended.set_result(result)
            if self._input is not None:
                self._input.close()
            for output in self.outputs.values():
                output.changed.wake()

    async def wait(self) -> CommandResult:
        return await asyncio.shield(self._ended)

    def read(self, stream: Stream, offset: int, limit: int) -> bytes:
        data = self.outputs[stream].data
        begin = max(0, len(data) + offset) if offset < 0 else offset
        return bytes(data[begin : begin + limit])

    async def wait_output(self, stream: Stream, offset: int, timeout_seconds: float) -> bool:
        output = self.outputs[stream]
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_seconds):
                while len(output.data) <= offset and not self._ended.done():
                    await output.changed.wait()
        return len(output.data) > offset

    async def write(self, data: bytes, *, eof: bool) -> None:
        """Raises CommandNotFound."""
        gone = CommandNotFound(f"Command {self.id} has ended, or takes no input.")
        if self._input is None or self._ended.done():
            raise gone
        try:
            await self._input.stream.write(data)
        except BrokenPipeError as error:
            raise gone from error
        if eof:
            self._input.close()
            self._input = None

    def signal(self, number: int, *, group: bool) -> None:
        process = self._process
        if process is None or self._ended.done():
            return
        if group:
            process.machine.signal_group(process.group, number)
        else:
            process.signal(number)
