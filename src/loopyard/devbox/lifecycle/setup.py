"""Steps of a launch, each time a devbox comes up, before it counts as running."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from loopyard.devbox.execution.engine import ExecutionEngine, NewExecution
from loopyard.devbox.execution.models import Execution
from loopyard.devbox.lifecycle.states import FailureReason
from loopyard.devbox.log.events import Events
from loopyard.devbox.mounts.code import clone, install
from loopyard.devbox.mounts.objects import ObjectMounts
from loopyard.kit.chunks import one_chunk
from loopyard.kit.errors import LoopyardError
from loopyard.kit.host.exhaustion import ran_out
from loopyard.kit.host.exhaustion import reason as in_words
from loopyard.kit.host.linux import KILLED
from loopyard.launch.code_host import CodeHost
from loopyard.launch.folder import make_folder
from loopyard.launch.mounts import CodeMountParameters, MountedObject
from loopyard.runtime.errors import FileAccessDenied, NoSpaceLeft, RuntimeFault
from loopyard.runtime.output import tail
from loopyard.runtime.protocol import ROOT, CommandSpec, Runtime, User

_SHOWN_LINES = 20


class LaunchFailed(Exception):
    """The devbox could not be initialized; the message says why."""

    def __init__(self, reason: FailureReason, message: str) -> None:
        super().__init__(message)
        self.reason: FailureReason = reason


class SetupFailed(LaunchFailed):
    """Failure of what was asked to be done in the devbox before it runs: a mount or a launch command."""


@dataclass(frozen=True, slots=True)
class Setup:
    """Contents of a new devbox, placed once."""

    files: Mapping[str, str] = field(default_factory=dict[str, str])
    repositories: Sequence[CodeMountParameters] = ()
    objects: Sequence[MountedObject] = ()
    folder: str | None = None


class LaunchSteps:
    """Sets devboxes up. All of it can be repeated after a crash: a command that was started is not run again."""

    def __init__(
        self,
        runtime: Runtime,
        executions: ExecutionEngine,
        code_host: CodeHost,
        events: Events,
        objects: ObjectMounts,
    ) -> None:
        self._runtime = runtime
        self._executions = executions
        self._code_host = code_host
        self._events = events
        self._objects = objects

    async def set_up(self, devbox_id: str, user: User, setup: Setup) -> None:
        """Make the folder, put in the objects, write the files, clone the repositories.

        Raises:
            SetupFailed: Something of that failed.
            LaunchFailed: The host failed meanwhile.
        """
        if setup.folder is not None:
            spec = CommandSpec(id="launch.folder", argv=make_folder(setup.folder, user), cwd="/", user=ROOT)
            await self._run(devbox_id, NewExecution(spec, f"mkdir -p {setup.folder}", purpose="launch"))
        for index, mount in enumerate(setup.objects):
            await self._put(devbox_id, user, mount, index)
        for index, (path, content) in enumerate(setup.files.items()):
            await self._write(devbox_id, path, content)
            said = f"The file mount {path} was written: {len(content.encode())} bytes."
            self._events.note(devbox_id, "files", said, once=f"mount.{index}")
        for index, mount in enumerate(setup.repositories):
            url = self._code_host.repository(mount)
            try:
                execution = await clone(self._runtime, self._executions, devbox_id, mount, url, index)
            except LoopyardError as error:
                raise LaunchFailed("health_check_failed", error.message) from error
            await self._check(devbox_id, execution)
            if (command := install(mount, user, index)) is not None:
                await self._run(devbox_id, command)

    async def run_commands(self, devbox_id: str, commands: Sequence[str], start: int) -> None:
        """Run the launch commands one after the other. `start` counts the devbox's starts from 0.

        Raises:
            SetupFailed: One did not exit with 0; the rest was not run.
            LaunchFailed: The host failed meanwhile.
        """
        for index, command in enumerate(commands):
            name = f"launch.{index}" if start == 0 else f"launch.{start}.{index}"
            spec = CommandSpec(id=name, argv=["/bin/bash", "-c", command])
            await self._run(devbox_id, NewExecution(spec, command, purpose="launch"))

    async def _put(self, devbox_id: str, user: User, mount: MountedObject, index: int) -> None:
        what = f"The object mount {mount.object_path}"
        try:
            executions = await self._objects.put(devbox_id, mount, user, index)
        except NoSpaceLeft as fault:
            raise SetupFailed("out_of_disk", f"{what} does not fit: {fault}") from fault
        except RuntimeFault as fault:
            raise SetupFailed("execution_failed", f"{what} failed: {fault}") from fault
        except LoopyardError as error:
            raise SetupFailed("execution_failed", f"{what} failed: {error.message}") from error
        for execution in executions:
            await self._check(devbox_id, execution)
        said = f"{what} was filled with object {mount.object_id}."
        self._events.note(devbox_id, "files", said, once=f"object.{index}")

    async def _write(self, devbox_id: str, path: str, content: str) -> None:
        try:
            try:
                await self._runtime.write_file(devbox_id, path, one_chunk(content))
            except FileAccessDenied:  # a place that only root may write to, such as /etc
                await self._runtime.write_file(devbox_id, path, one_chunk(content), user=ROOT)
        except NoSpaceLeft as fault:
            raise SetupFailed("out_of_disk", f"The file mount {path} does not fit: {fault}") from fault
        except RuntimeFault as fault:
            raise SetupFailed("execution_failed", f"The file mount {path} failed: {fault}") from fault

    async def _run(self, devbox_id: str, new: NewExecution) -> None:
        try:
            execution = await self._executions.run(devbox_id, new)
        except LoopyardError as error:
            raise LaunchFailed("health_check_failed", error.message) from error
        await self._check(devbox_id, execution)

    async def _check(self, devbox_id: str, execution: Execution) -> None:
        if execution.exit_status == 0:
            return
        if execution.exit_status == KILLED and await is_out_of_memory(self._runtime, devbox_id):
            message = f"All its memory was used by the launch command: {execution.command}"
            raise SetupFailed("out_of_memory", message)
        if execution.lost:
            message = f"The devbox went down under the launch command: {execution.command}"
            raise LaunchFailed("health_check_failed", message)
        ended = "took too long" if execution.timed_out else f"exited with {execution.exit_status}"
        output = (await self._tail(execution)).strip()
        reason: FailureReason = "out_of_disk" if ran_out(output) == "disk" else "execution_failed"
        why = f" ({words})" if (words := in_words(output)) is not None else ""
        raise SetupFailed(reason, f"The launch command {ended}{why}: {execution.command}\n{output}".strip())

    async def _tail(self, execution: Execution) -> str:
        try:
            for stream in ("stderr", "stdout"):
                end = await tail(self._runtime, execution.devbox_id, execution.id, stream, _SHOWN_LINES)
                if end.text.strip():
                    return end.text
        except RuntimeFault:
            pass
        return ""


async def is_out_of_memory(runtime: Runtime, devbox_id: str) -> bool:
    """True if the kernel has killed anything in the devbox for its memory limit since it came up."""
    try:
        return (await runtime.status(devbox_id)).out_of_memory
    except RuntimeFault:
        return False
