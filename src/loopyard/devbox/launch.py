"""What is done in a new devbox before it counts as running."""

from collections.abc import AsyncIterator, Mapping, Sequence

from loopyard.devbox.execution.engine import ExecutionEngine, NewExecution
from loopyard.devbox.execution.output import tail
from loopyard.devbox.states import FailureReason
from loopyard.kit.errors import LoopyardError
from loopyard.runtime.errors import NoSpaceLeft, RuntimeFault
from loopyard.runtime.protocol import CommandSpec, Runtime, User

_SHOWN_LINES = 20

_MAKE_FOLDER = """
set -e
[ -d "$1" ] && exit 0
top=$1
while parent=$(dirname -- "$top"); [ ! -e "$parent" ]; do top=$parent; done
mkdir -p -- "$1"
chown -R -- "$2:$2" "$top"
"""
"""Arguments: the folder, and the user id that it and the parents that were missing are to belong to."""


class LaunchFailed(Exception):
    """The devbox could not be initialized; the message says why."""

    def __init__(self, reason: FailureReason, message: str) -> None:
        super().__init__(message)
        self.reason: FailureReason = reason


async def initialize(
    runtime: Runtime,
    executions: ExecutionEngine,
    devbox_id: str,
    files: Mapping[str, str],
    commands: Sequence[str],
) -> None:
    """Write the mounted files, then run the launch commands one after the other. Can be repeated after a crash: a
    command that was started before is not run again.

    Raises:
        LaunchFailed: A file could not be written, or a command did not exit with 0.
    """
    for path, content in files.items():
        try:
            await runtime.write_file(devbox_id, path, _chunks(content))
        except NoSpaceLeft as fault:
            raise LaunchFailed("out_of_disk", f"The file mount {path} does not fit: {fault}") from fault
        except RuntimeFault as fault:
            raise LaunchFailed("execution_failed", f"The file mount {path} failed: {fault}") from fault
    for index, command in enumerate(commands):
        spec = CommandSpec(id=f"launch.{index}", argv=["/bin/bash", "-c", command])
        await _run(runtime, executions, devbox_id, NewExecution(spec, command, purpose="launch"))


async def make_folder(runtime: Runtime, executions: ExecutionEngine, devbox_id: str, path: str, owner: User) -> None:
    """Make a folder unless it is there; it and the parents made for it belong to `owner`. Can be repeated.

    Raises:
        LaunchFailed: It could not be made.
    """
    argv = ["/bin/sh", "-c", _MAKE_FOLDER, "sh", path, str(owner.uid)]
    spec = CommandSpec(id="launch.folder", argv=argv, cwd="/", user=User("root", 0))
    await _run(runtime, executions, devbox_id, NewExecution(spec, f"mkdir -p {path}", purpose="launch"))


async def _run(runtime: Runtime, executions: ExecutionEngine, devbox_id: str, new: NewExecution) -> None:
    try:
        execution = await executions.run(devbox_id, new)
    except LoopyardError as error:
        raise LaunchFailed("health_check_failed", error.message) from error
    if execution.lost:
        raise LaunchFailed("health_check_failed", f"The devbox went down under the launch command: {new.command}")
    if execution.exit_status != 0:
        output = await tail(runtime, devbox_id, new.spec.id, "stderr", _SHOWN_LINES)
        text = output.text.strip() or (await tail(runtime, devbox_id, new.spec.id, "stdout", _SHOWN_LINES)).text.strip()
        message = f"The launch command exited with {execution.exit_status}: {new.command}\n{text}"
        raise LaunchFailed("execution_failed", message.strip())


async def _chunks(content: str) -> AsyncIterator[bytes]:
    yield content.encode()
