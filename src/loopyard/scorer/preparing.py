"""Makes a box fit to be judged: the agent's processes end, what it changed of the system is put back, and the scorers'
own tools come in. Can be repeated after a crash."""

import asyncio
import hashlib
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from loopyard.devbox.execution.engine import ExecutionEngine, NewExecution
from loopyard.devbox.execution.output import tail
from loopyard.kit.failpoint import failpoint
from loopyard.runtime.protocol import CommandSpec, Runtime
from loopyard.runtime.sealing import GradingIsolation, GradingIsolator, RestoreReport, SharedFolder
from loopyard.scorer.config import ScorerConfig
from loopyard.scorer.scorer import PYTHON, TOOLS, PythonNeeds, ScorerJob
from loopyard.scorer.scoring import ROOT, ScoringRequest, SetupFailed, setup_id
from loopyard.scorer.starting import check_started
from loopyard.scorer.tools import FOLDER, tools

SYSTEM = ("/usr", "/etc", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/opt", "/nix")
"""Where a box's programs and their settings are."""

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

_PYTHON_FOLDER = "/.loopyard/python"
_SHOWN_LINES = 20
_CHUNK_BYTES = 1 << 20

_NO_PYTHON = 3
"""The exit status of the setup where there is no interpreter for the environment."""

_SETUP = f"""
set -eu
umask 022
environment=$1 constraint=$2 requirements=$3
[ ! -e "$environment/complete" ] || exit 0
mkdir -p "$HOME"
cd "$HOME"
uv venv --quiet --no-config --no-project --clear --python "$constraint" "$environment" || exit {_NO_PYTHON}
if [ -s "$requirements" ]; then
    uv pip install --quiet --no-config --python "$environment/bin/python" --requirements "$requirements"
fi
touch "$environment/complete"
"""
"""Arguments: the environment's folder, the constraint on its Python, the path of its requirements.txt."""

_NO_PYTHON_HINT = (
    "[loopyard] The image has no Python {constraint}, and uv could not fetch one. Let python_version_constraint name"
    " one that the image has (LOOPYARD_SCORERS__PYTHON, for scenarios that name none), or let the devbox reach where uv"
    " fetches it: the releases of python-build-standalone, or a mirror that LOOPYARD_SCORERS__PYTHON_MIRROR names."
)


@dataclass(frozen=True, slots=True)
class _Environment:
    """A Python environment: what it is made of, and where it is in the box."""

    needs: PythonNeeds
    constraint: str
    folder: str


class Preparing:
    """Prepares the boxes of one runtime."""

    def __init__(self, runtime: Runtime, executions: ExecutionEngine, config: ScorerConfig) -> None:
        self._runtime = runtime
        self._executions = executions
        self._config = config
        self._making: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    @property
    def _sealing(self) -> GradingIsolation | None:
        return self._runtime.sealing if isinstance(self._runtime, GradingIsolator) else None

    async def clear(self, scoring: ScoringRequest) -> None:
        """End everything in the box but its entrypoint."""
        if self._sealing is not None:
            await self._sealing.stop_all(scoring.devbox_id, spare=scoring.spare)

    async def prepare(self, scoring: ScoringRequest, jobs: Sequence[ScorerJob]) -> None:
        """Do all that is to be done before the first scoring function starts."""
        await self.clear(scoring)
        failpoint("scoring.cleared")
        if self._sealing is not None and scoring.restored:
            await self._sealing.restore(scoring.devbox_id, _paths(scoring), keep=scoring.working_directory)
            failpoint("scoring.restored")
        if any(job.python is not None or job.argv[0].startswith(TOOLS) for job in jobs):
            await self._give_tools(scoring.devbox_id)
        if any(job.python is not None for job in jobs):
            await self._make_environments(scoring, jobs)
        failpoint("scoring.prepared")

    async def put_back(self, scoring: ScoringRequest) -> RestoreReport | None:
        """Report on the system files that were restored for this scoring; None if they stay as the agent left them."""
        if self._sealing is None or not scoring.restored:
            return None
        return await self._sealing.put_back(scoring.devbox_id)

    async def _give_tools(self, devbox_id: str) -> None:
        folder = tools()
        if self._sealing is not None:
            await self._sealing.share(devbox_id, folder, FOLDER)
            return
        for name, path in folder.files.items():
            target = f"{FOLDER}/{name}"
            await self._runtime.write_file(devbox_id, target, _content(path), user=ROOT, mode=0o755)

    async def _make_environments(self, scoring: ScoringRequest, jobs: Sequence[ScorerJob]) -> None:
        """Make what is missing of the Python environments, while nothing else runs in the box; after that they can only
        be read. Boxes share them that are made from the same, and whose system is as it was made: a program of the
        agent's that could write there would be in all of them."""
        shared = SharedFolder(f"python-{hashlib.sha256(scoring.image.encode()).hexdigest()[:32]}")
        sealing = self._sealing if scoring.restored else None
        if sealing is not None:
            await sealing.share(scoring.devbox_id, shared, _PYTHON_FOLDER, writable=True)
        for index, job in enumerate(jobs):
            if job.python is not None:
                environment = self._environment(job.python)
                async with self._making[environment.folder]:
                    await self._make(scoring, index, environment)
        if sealing is not None:
            await sealing.share(scoring.devbox_id, shared, _PYTHON_FOLDER)

    async def _make(self, scoring: ScoringRequest, index: int, environment: _Environment) -> None:
        requirements = f"{scoring.place(index).directory}/requirements.txt"
        content = _once(environment.needs.requirements)
        await self._runtime.write_file(scoring.devbox_id, requirements, content, user=ROOT, mode=0o644)
        spec = CommandSpec(
            id=setup_id(index),
            argv=["/bin/sh", "-c", _SETUP, "sh", environment.folder, environment.constraint, requirements],
            cwd="/",
            user=ROOT,
            environment=self._variables(),
            timeout_seconds=self._config.setup_seconds,
        )
        command = f"python {environment.constraint} for {scoring.functions[index].name}"
        await self._executions.run(scoring.devbox_id, NewExecution(spec, command, purpose="scoring"))

    def _variables(self) -> Mapping[str, str]:
        mirror = self._config.python_mirror
        return {
            "PATH": f"{FOLDER}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": f"{_PYTHON_FOLDER}/home",
            "UV_CACHE_DIR": f"{_PYTHON_FOLDER}/cache",
            "UV_PYTHON_INSTALL_DIR": f"{_PYTHON_FOLDER}/pythons",
            **({} if mirror is None else {"UV_PYTHON_INSTALL_MIRROR": mirror}),
        }

    def _environment(self, needs: PythonNeeds) -> _Environment:
        constraint = needs.constraint or self._config.python
        told = f"{constraint}\n{needs.requirements}"
        return _Environment(
            needs, constraint, f"{_PYTHON_FOLDER}/envs/{hashlib.sha256(told.encode()).hexdigest()[:32]}"
        )

    async def argv(self, scoring: ScoringRequest, index: int, job: ScorerJob) -> Sequence[str]:
        """The command line of a job, once the box is prepared.

        Raises:
            SetupFailed: The Python environment that it needs could not be made.
            ScoringInterrupted: What makes it could not be started.
        """
        if job.python is None:
            return [job.argv[0].replace(TOOLS, FOLDER, 1), *job.argv[1:]]
        setup = await self._executions.get(scoring.devbox_id, setup_id(index))
        await check_started(self._runtime, setup, "The making of the Python environment")
        if setup.exit_status != 0:
            end = await tail(self._runtime, scoring.devbox_id, setup.id, "stderr", _SHOWN_LINES)
            why = "it took too long" if setup.timed_out else end.text.strip()
            if setup.exit_status == _NO_PYTHON:
                hint = _NO_PYTHON_HINT.format(constraint=self._environment(job.python).constraint)
                why = f"{why}\n{hint}"
            raise SetupFailed(f"The Python environment could not be made: {why}")
        python = f"{self._environment(job.python).folder}/bin/python"
        return [job.argv[0].replace(PYTHON, python, 1), *job.argv[1:]]


def variables(scoring: ScoringRequest) -> dict[str, str]:
    """Variables of every scoring function's programs, so that they leave alone what the agent can have put beside its
    work: compiled Python modules, and hooks of git."""
    if not scoring.restored:
        return {}
    return {
        "PYTHONPYCACHEPREFIX": f"/tmp/loopyard-pycache-{scoring.key}",  # noqa: S108 - in the box, of an unknown name
        "GIT_CONFIG_COUNT": "2",
        "GIT_CONFIG_KEY_0": "core.hooksPath",
        "GIT_CONFIG_VALUE_0": "/dev/null",
        "GIT_CONFIG_KEY_1": "core.fsmonitor",
        "GIT_CONFIG_VALUE_1": "false",
    }


def _paths(scoring: ScoringRequest) -> list[str]:
    """Paths to restore. The working directory never is, nor what is around it in a home."""
    work = scoring.working_directory or scoring.user.home
    personal = [f"{home}/{name}" for home in dict.fromkeys((scoring.user.home, "/root")) for name in PERSONAL]
    return [*SYSTEM, *(path for path in personal if not f"{work}/".startswith(f"{path}/"))]


async def _content(path: Path) -> AsyncIterator[bytes]:
    with path.open("rb") as file:
        while chunk := await asyncio.to_thread(file.read, _CHUNK_BYTES):
            yield chunk


async def _once(content: str) -> AsyncIterator[bytes]:
    yield content.encode()
