"""Clones repositories into a devbox. The token is never an argument, a variable, or a file that stays."""

import contextlib

from loopyard.devbox.execution.engine import ExecutionEngine, NewExecution
from loopyard.devbox.execution.models import Execution
from loopyard.launch.code_host import CLONE
from loopyard.launch.mounts import CodeMountParameters
from loopyard.runtime.errors import RuntimeFault
from loopyard.runtime.protocol import CommandSpec, Runtime, User

CLONE_SECONDS = 1800.0
"""How long a clone may take."""


async def clone(
    runtime: Runtime, executions: ExecutionEngine, devbox_id: str, mount: CodeMountParameters, url: str, index: int
) -> Execution:
    """Clone a repository into the user's home. Can be repeated after a crash.

    Returns:
        The execution that did it, completed.

    Raises:
        LoopyardError: The devbox does not run any more.
    """
    argv = ["/bin/bash", "-c", CLONE, "bash", url, mount.repo_name, mount.git_ref or ""]
    spec = CommandSpec(id=f"launch.code.{index}", argv=argv, attach_stdin=True, timeout_seconds=CLONE_SECONDS)
    shown = f"git clone {url}" + (f" && git checkout {mount.git_ref}" if mount.git_ref else "")
    await executions.start(devbox_id, NewExecution(spec, shown, purpose="launch"))
    # After a crash it may have the token already; then it does not read this one.
    with contextlib.suppress(RuntimeFault):
        await runtime.write_stdin(devbox_id, spec.id, f"{mount.token or ''}\n".encode())
    return await executions.wait(devbox_id, spec.id)


def install(mount: CodeMountParameters, user: User, index: int) -> NewExecution | None:
    """The command that sets a cloned repository up, if it has one."""
    if not mount.install_command:
        return None
    argv = ["/bin/bash", "-c", mount.install_command]
    spec = CommandSpec(id=f"launch.install.{index}", argv=argv, cwd=f"{user.home}/{mount.repo_name}")
    return NewExecution(spec, mount.install_command, purpose="launch")
