"""Python environments of scoring functions: made by uv while nothing else runs in the box, then only read."""

import asyncio
import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from loopyard.devbox.execution.engine import ExecutionEngine, NewExecution
from loopyard.kit.chunks import one_chunk
from loopyard.kit.host.linux import SEARCH_PATH
from loopyard.runtime.grading import SharedFolder, isolation_of
from loopyard.runtime.output import tail
from loopyard.runtime.protocol import ROOT, CommandSpec, Runtime
from loopyard.scorer.config import ScorerConfig
from loopyard.scorer.request import FunctionJob, ScoringRequest, setup_id
from loopyard.scorer.scorer import PythonNeeds
from loopyard.scorer.start_check import check_started
from loopyard.scorer.tools import FOLDER

_PYTHON_FOLDER = "/.loopyard/python"
_SHOWN_LINES = 20

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


class EnvironmentFailed(Exception):
    """Failure to make the environment of a scoring function; the message gives the reason, for a person to read."""


@dataclass(frozen=True, slots=True)
class _Environment:
    """A Python environment: what it is made of, and where it is in the box."""

    needs: PythonNeeds
    constraint: str
    folder: str


class PythonEnvironments:
    """Environments in the boxes of one runtime. Boxes share them that are made from the same, and whose system is as it
    was made: a program of the agent's that could write there would be in all of them."""

    def __init__(self, runtime: Runtime, executions: ExecutionEngine, config: ScorerConfig) -> None:
        self._runtime = runtime
        self._executions = executions
        self._config = config
        self._isolation = isolation_of(runtime)
        self._making: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def make(self, request: ScoringRequest, jobs: Sequence[FunctionJob]) -> None:
        """Make what is missing of the environments, while nothing else runs in the box; after that they can only be
        read."""
        shared = SharedFolder(f"python-{hashlib.sha256(request.image.encode()).hexdigest()[:32]}")
        isolation = self._isolation if request.restored else None
        if isolation is not None:
            await isolation.share(request.devbox_id, shared, _PYTHON_FOLDER, writable=True)
        for one in jobs:
            if one.job.python is not None:
                environment = self._environment(one.job.python)
                async with self._making[environment.folder]:
                    await self._make_one(request, one, environment)
        if isolation is not None:
            await isolation.share(request.devbox_id, shared, _PYTHON_FOLDER)

    async def interpreter(self, devbox_id: str, index: int, needs: PythonNeeds) -> str:
        """The path of the interpreter in the environment of the function at `index`.

        Raises:
            EnvironmentFailed: The environment could not be made.
            ScoringInterrupted: What makes it could not be started.
        """
        environment = self._environment(needs)
        setup = await self._executions.get(devbox_id, setup_id(index))
        await check_started(self._runtime, setup, "The making of the Python environment")
        if setup.exit_status != 0:
            end = await tail(self._runtime, devbox_id, setup.id, "stderr", _SHOWN_LINES)
            why = "it took too long" if setup.timed_out else end.text.strip()
            if setup.exit_status == _NO_PYTHON:
                why = f"{why}\n{_NO_PYTHON_HINT.format(constraint=environment.constraint)}"
            raise EnvironmentFailed(f"The Python environment could not be made: {why}")
        return f"{environment.folder}/bin/python"

    async def _make_one(self, request: ScoringRequest, one: FunctionJob, environment: _Environment) -> None:
        requirements = f"{request.paths(one.index).directory}/requirements.txt"
        content = one_chunk(environment.needs.requirements)
        await self._runtime.write_file(request.devbox_id, requirements, content, user=ROOT, mode=0o644)
        spec = CommandSpec(
            id=setup_id(one.index),
            argv=["/bin/sh", "-c", _SETUP, "sh", environment.folder, environment.constraint, requirements],
            cwd="/",
            user=ROOT,
            environment=self._variables(),
            timeout_seconds=self._config.setup_seconds,
        )
        command = f"python {environment.constraint} for {one.function.name}"
        await self._executions.run(request.devbox_id, NewExecution(spec, command, purpose="scoring"))

    def _variables(self) -> Mapping[str, str]:
        mirror = self._config.python_mirror
        return {
            "PATH": f"{FOLDER}:{SEARCH_PATH}",
            "HOME": f"{_PYTHON_FOLDER}/home",
            "UV_CACHE_DIR": f"{_PYTHON_FOLDER}/cache",
            "UV_PYTHON_INSTALL_DIR": f"{_PYTHON_FOLDER}/pythons",
            **({} if mirror is None else {"UV_PYTHON_INSTALL_MIRROR": mirror}),
        }

    def _environment(self, needs: PythonNeeds) -> _Environment:
        constraint = needs.constraint or self._config.python
        digest = hashlib.sha256(f"{constraint}\n{needs.requirements}".encode()).hexdigest()[:32]
        return _Environment(needs, constraint, f"{_PYTHON_FOLDER}/envs/{digest}")
