"""Makes scenarios of Harbor's tasks."""

import json
import math
import shlex
from collections.abc import Mapping
from pathlib import Path

from loopyard.bench.archive import BadFolder, pack
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


def drafts(folder: Path) -> list[Draft]:
    """A scenario for each task in the folder, or for the one task that it is.

    Raises:
        FolderFault: Tasks cannot be imported; all faults of all tasks are told.
    """
    made: list[Draft] = []
    faults: list[str] = []
    for path in find(folder):
        try:
            made.append(draft(read(path)))
        except FolderFault as fault:
            faults += fault.faults
    if faults:
        raise FolderFault(faults)
    return made


def draft(task: Task) -> Draft:
    """The scenario that a task becomes.

    Raises:
        FolderFault: It cannot be one.
    """
    config = task.config
    environment = config.environment
    for_agent, wanted = values(task, environment.env, "environment", "env")
    for_tests, wanted_by_tests = values(task, config.verifier.env, "verifier", "env")
    for_solution, _ = values(task, config.solution.env, "solution", "env")
    # As in Harbor, an image that is there is not built again.
    text = f"FROM {environment.docker_image}\n" if environment.docker_image else task.dockerfile or ""
    context = task.folder / "environment" if environment.docker_image is None else None
    seconds = config.verifier.timeout_sec
    try:
        tests = pack(task.folder / "tests")
        reference = scripts.solution(pack(task.folder / "solution"), for_solution) if task.has_solution else None
    except BadFolder as error:
        raise FolderFault([str(error)]) from error
    return Draft(
        name=task.name,
        problem_statement=task.instruction,
        scorer_name="tests",
        scorer_script=scripts.scorer(tests, for_tests, seconds),
        scorer_timeout_sec=math.ceil(seconds) + 60,
        reference=reference,
        dockerfile=dockerfile.with_variables(text, for_agent),
        build_context=context,
        environment=_environment(task),
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
        "working_directory": _workdir(task),
        "launch_parameters": {
            **size,
            "keep_alive_time_seconds": min(math.ceil(life), _LONGEST_LIFE_SECONDS),
            "user_parameters": {"uid": 0, "username": "root"},
            "launch_commands": commands,
        },
    }
    if environment.hosts is not None:
        found["allowed_hostnames"] = environment.hosts
    return found


def _workdir(task: Task) -> str:
    """Where commands run: as the task says, else as its Dockerfile does, else at the root, where containers start."""
    if task.config.environment.workdir is not None:
        return task.config.environment.workdir
    if task.dockerfile is None:
        return "/"
    try:
        return dockerfile.workdir(task.dockerfile) or "/"
    except dockerfile.Unresolved as error:
        text = f"{error} cannot be known before the build; set environment.workdir in task.toml"
        raise FolderFault([told(task.folder / "environment" / "Dockerfile", error.line, "WORKDIR", text)]) from error


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
