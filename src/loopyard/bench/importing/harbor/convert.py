"""Makes scenarios of Harbor's tasks."""

import json
import math
import shlex
from collections.abc import Mapping
from pathlib import Path

from loopyard.bench.archive import BadFolder
from loopyard.bench.importing.draft import Draft, Plain
from loopyard.bench.importing.harbor import dockerfile, scripts
from loopyard.bench.importing.harbor.config import Healthcheck
from loopyard.bench.importing.harbor.task import Task, find, read, values
from loopyard.bench.importing.place import told
from loopyard.bench.importing.sizes import launch_size
from loopyard.bench.loader import FolderFault

DEFAULT_AGENT_SECONDS = 3600.0
_SLACK_SECONDS = 900
_LONGEST_LIFE_SECONDS = 172_800
_FOLDERS = "mkdir -p /logs/agent /logs/verifier /logs/artifacts"


def drafts(folder: Path, *, left_out: list[str] | None = None) -> list[Draft]:
    """A scenario for each task in the folder, or for the one task that it is.

    Args:
        folder: The task's, or that of the tasks.
        left_out: Where the faults of tasks that cannot be imported are put; None to import all or none.

    Raises:
        FolderFault: No task can be imported, or some cannot and `left_out` is None; all faults of all tasks are told.
    """
    made: list[Draft] = []
    faults: list[str] = []
    for path in find(folder):
        try:
            made.append(draft(read(path)))
        except FolderFault as fault:
            faults += fault.faults
    if faults and (left_out is None or not made):
        raise FolderFault(faults)
    if left_out is not None:
        left_out += faults
    return made


def draft(task: Task) -> Draft:
    """The scenario that a task becomes.

    Raises:
        FolderFault: It cannot be one.
    """
    config = task.config
    environment = config.environment
    for_agent, wanted = values(task, {**task.variables, **environment.env}, "environment", "env")
    for_tests, wanted_by_tests = values(task, config.verifier.env, "verifier", "env")
    for_solution, _ = values(task, config.solution.env, "solution", "env")
    # As in Harbor, an image that is there is not built again.
    text = f"FROM {environment.docker_image}\n" if environment.docker_image else task.dockerfile or ""
    context = task.folder / "environment" if environment.docker_image is None else None
    try:
        recipe = dockerfile.ended(text, for_agent)
    except dockerfile.Invalid as error:
        raise FolderFault([told(task.folder / "environment" / "Dockerfile", error.line, "", str(error))]) from error
    seconds = config.verifier.timeout_sec
    try:
        tests = scripts.packed(task.folder / "tests", scripts.TEST)
        solution = scripts.packed(task.folder / "solution", scripts.SOLVE) if task.has_solution else None
    except BadFolder as error:
        raise FolderFault([str(error)]) from error
    return Draft(
        name=task.name,
        problem_statement=task.instruction,
        scorer_name="tests",
        scorer_script=scripts.scorer(tests, for_tests, seconds),
        scorer_timeout_sec=math.ceil(seconds) + 60,
        reference=None if solution is None else scripts.solution(solution, for_solution),
        dockerfile=recipe.text,
        build_context=context,
        environment={**_environment(task), **({"build_args": recipe.build_args} if recipe.build_args else {})},
        metadata=_metadata(task),
        required_environment_variables=list(dict.fromkeys([*wanted, *wanted_by_tests])),
    )


def _environment(task: Task) -> Mapping[str, Plain]:
    config, environment = task.config, task.config.environment
    try:
        size = launch_size(environment.cpus, environment.memory_mb, environment.storage_mb)
    except ValueError as error:
        raise FolderFault([f"{task.at('environment')}{error}"]) from error
    life = (config.agent.timeout_sec or DEFAULT_AGENT_SECONDS) + config.verifier.timeout_sec + _SLACK_SECONDS
    commands = [_FOLDERS]
    if environment.healthcheck is not None:
        commands.append(_healthcheck(environment.healthcheck))
    found: dict[str, Plain] = {
        "launch_parameters": {
            **size,
            "keep_alive_time_seconds": min(math.ceil(life), _LONGEST_LIFE_SECONDS),
            "user_parameters": {"uid": 0, "username": "root"},
            "launch_commands": commands,
        },
    }
    if environment.workdir is not None:  # else the image says it
        found["working_directory"] = environment.workdir
    if environment.hosts is not None:
        found["allowed_hostnames"] = environment.hosts
    return found


def _healthcheck(check: Healthcheck) -> str:
    """A command that ends well once the task's check does."""
    tries = check.retries + math.ceil(check.start_period_sec / check.interval_sec)
    command = f"timeout {check.timeout_sec:g} bash -c {shlex.quote(check.command)}"
    return (
        f"(for try in $(seq {tries}); do {command} && exit 0; sleep {check.interval_sec:g}; done; "
        "echo 'the healthcheck of the task failed' >&2; exit 1)"
    )


def _metadata(task: Task) -> Mapping[str, str]:
    # Harbor's verifiers find the system as the agent left it, and may install packages into it.
    found = {"imported_from": "harbor", "loopyard.system_files": "as_left"}
    for key, value in task.config.metadata.items():
        found[key] = value if isinstance(value, str) else json.dumps(value, default=str)
    if task.config.agent.timeout_sec is not None:
        found["agent_timeout_sec"] = f"{task.config.agent.timeout_sec:g}"
    return found
