"""The agent's process in the devbox. It and its output outlive the server.

Frames go in as files in a spool folder, numbered from 1, each written whole or not at all; a shell script beside the
agent passes them on in order, each once, when it is woken by a line on its standard input. A frame that is delivered
again, since the server was killed before it noted the delivery, is a file of a number that the script is past.
"""

import asyncio
import shlex
from collections.abc import Sequence

from loopyard.devbox.execution.engine import ExecutionEngine, NewExecution
from loopyard.kit.chunks import one_chunk
from loopyard.kit.host.linux import KILLED
from loopyard.runtime.protocol import CommandResult, CommandSpec, Runtime, Stream

CHUNK_BYTES = 1 << 20
_SPOOLS = "/var/tmp/loopyard-broker"  # noqa: S108  (a folder of the box)
WAIT_SECONDS = 10.0

_SCRIPT = """
spool=$1
shift
for old in "${spool%%-broker*}"-broker-*; do
    [ "$old" = "$spool" ] || rm -rf "$old"
done
mkdir -p "$spool" && mkfifo "$spool/in" || exit 126
exec 3<&0
(
    number=1
    while read -r _; do
        while [ -e "$spool/$number" ]; do
            cat "$spool/$number" || exit
            rm -f "$spool/$number"
            number=$((number + 1))
        done
    done
) <&3 >"$spool/in" &
feeder=$!
"$@" <"$spool/in" 3<&-
status=$?
kill "$feeder" 2>/dev/null
rm -rf "$spool"
exit "$status"
"""
"""Arguments: the spool folder, and the agent's command line."""


class AgentProcess:
    """Process of an agent, by its number."""

    def __init__(self, runtime: Runtime, executions: ExecutionEngine, devbox_id: str, number: int) -> None:
        self._runtime = runtime
        self._executions = executions
        self._devbox_id = devbox_id
        self.id = f"broker.{number}"
        # Of the devbox's own name, since its disk may be a snapshot of another's.
        self._spool = f"{_SPOOLS}-{devbox_id}.{number}"

    async def start(self, arguments: Sequence[str], folder: str) -> None:
        """Start it, unless it was started before.

        Raises:
            LoopyardError: The devbox does not run, or the host could not start it.
        """
        argv = ["/bin/sh", "-c", _SCRIPT, "sh", self._spool, *arguments]
        spec = CommandSpec(id=self.id, argv=argv, cwd=folder, attach_stdin=True)
        await self._executions.start(self._devbox_id, NewExecution(spec, shlex.join(arguments), purpose="broker"))

    async def deliver(self, number: int, frame: str) -> None:
        """Hand it a frame. Handing one twice does nothing.

        Raises:
            RuntimeFault: It could not be written, or the process has ended.
        """
        await self._runtime.write_file(self._devbox_id, f"{self._spool}/{number}", one_chunk(f"{frame}\n".encode()))

    async def wake(self) -> None:
        """Have it look for frames.

        Raises:
            RuntimeFault: It has ended.
        """
        await self._runtime.write_stdin(self._devbox_id, self.id, b"\n")

    async def read(self, stream: Stream, offset: int) -> bytes | None:
        """Output from a byte on, waiting for some; None once it has ended and there is no more."""
        while True:
            data = await self._runtime.read_output(self._devbox_id, self.id, stream, offset, CHUNK_BYTES)
            if data:
                return data
            if await self._runtime.wait_output(self._devbox_id, self.id, stream, offset, timeout_seconds=WAIT_SECONDS):
                continue
            if await self._runtime.is_truncated(self._devbox_id, self.id, stream):
                await self.kill()  # what follows in the stream would be taken for something else
            if await self.has_ended():
                return await self._runtime.read_output(self._devbox_id, self.id, stream, offset, CHUNK_BYTES) or None

    async def has_ended(self) -> bool:
        try:
            async with asyncio.timeout(0):
                await self._runtime.wait_command(self._devbox_id, self.id)
        except TimeoutError:
            return False
        return True

    async def wait(self) -> CommandResult:
        """Wait for its end."""
        execution = await self._executions.wait(self._devbox_id, self.id)
        status = KILLED if execution.exit_status is None else execution.exit_status
        return CommandResult(status, execution.timed_out, execution.lost)

    async def kill(self) -> None:
        """End it and all that it started in its group."""
        await self._executions.kill(self._devbox_id, self.id, group=True)
