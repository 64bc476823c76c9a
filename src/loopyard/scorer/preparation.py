"""First step of scoring: the agent's processes end, what it changed of the system is put back, and the scorers' own
tools come in. Can be repeated after a crash."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from loopyard.devbox.execution.engine import ExecutionEngine
from loopyard.kit.host.failpoint import failpoint
from loopyard.runtime.grading import RestoreReport, isolation_of
from loopyard.runtime.protocol import ROOT, Runtime
from loopyard.scorer.executions import has_begun
from loopyard.scorer.python_environments import PythonEnvironments
from loopyard.scorer.request import FunctionJob, ScoringRequest
from loopyard.scorer.scorer import TOOLS
from loopyard.scorer.tools import FOLDER, tools

SYSTEM = ("/usr", "/etc", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/opt", "/nix")
"""Folders of a box's programs and their settings."""

PERSONAL = (
    ".bash_aliases",
    ".bash_login",
    ".bash_logout",
    ".bash_profile",
    ".bashrc",
    ".config",
    ".gitconfig",
    ".local",
    ".npmrc",
    ".pip",
    ".profile",
    ".pydistutils.cfg",
)
"""Paths in a home that change what programs do."""

_CHUNK_BYTES = 1 << 20


class Preparation:
    """Makes the boxes of one runtime fit to be judged."""

    def __init__(self, runtime: Runtime, executions: ExecutionEngine, environments: PythonEnvironments) -> None:
        self._runtime = runtime
        self._executions = executions
        self._environments = environments
        self._isolation = isolation_of(runtime)

    async def prepare(self, request: ScoringRequest, jobs: Sequence[FunctionJob]) -> None:
        """Do all that is to be done before the first scoring function starts; nothing once one has begun.

        Raises:
            NoSpaceLeft: The box's disk is too full for it.
        """
        if any([await has_begun(self._executions, request.devbox_id, job.index) for job in jobs]):
            return
        await self.clear(request)
        failpoint("scoring.cleared")
        if self._isolation is not None and request.restored:
            await self._isolation.restore(request.devbox_id, _paths(request), keep=request.working_directory)
            failpoint("scoring.restored")
        if any(one.job.python is not None or one.job.argv[0].startswith(TOOLS) for one in jobs):
            await self._give_tools(request.devbox_id)
        if any(one.job.python is not None for one in jobs):
            await self._environments.make(request, jobs)
        failpoint("scoring.prepared")

    async def clear(self, request: ScoringRequest) -> None:
        """End everything in the box but its entrypoint."""
        if self._isolation is not None:
            await self._isolation.stop_all(request.devbox_id, spare=request.spare)

    async def restore_report(self, request: ScoringRequest) -> RestoreReport | None:
        """Report on the system files that were restored for this scoring; None if they stay as the agent left them."""
        if self._isolation is None or not request.restored:
            return None
        return await self._isolation.restore_report(request.devbox_id)

    async def _give_tools(self, devbox_id: str) -> None:
        folder = tools()
        if self._isolation is not None:
            await self._isolation.share(devbox_id, folder, FOLDER)
            return
        for name, path in folder.files.items():
            target = f"{FOLDER}/{name}"
            await self._runtime.write_file(devbox_id, target, _content(path), user=ROOT, mode=0o755)


def _paths(request: ScoringRequest) -> list[str]:
    """Paths to restore. The working directory never is, nor what is around it in a home."""
    work = request.working_directory or request.user.home
    personal = [f"{home}/{name}" for home in dict.fromkeys((request.user.home, "/root")) for name in PERSONAL]
    return [*SYSTEM, *(path for path in personal if not f"{work}/".startswith(f"{path}/"))]


async def _content(path: Path) -> AsyncIterator[bytes]:
    with path.open("rb") as file:
        while chunk := await asyncio.to_thread(file.read, _CHUNK_BYTES):
            yield chunk
