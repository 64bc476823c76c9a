"""The inline YAML of a Harbor job: how it is read, and what is made of it.

Harbor runs beside the server and with its rights. So a job may choose tasks, agents and limits, but nothing that would
have Harbor run code of the caller's, read files of the host, or use other sandboxes than this server's.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, cast

import yaml
from pydantic import ValidationError

from loopyard.benchmark_job.harbor.allowed import Job

MAX_BYTES = 1024**2
MAX_DEPTH = 32


class InvalidYaml(Exception):
    """The YAML is not what a job may be; the message names the key."""


def parse(text: str) -> Job:
    """Read the YAML.

    Raises:
        InvalidYaml: It is no YAML, or says what a job may not say.
    """
    if len(text.encode()) > MAX_BYTES:
        raise InvalidYaml(f"it may have {MAX_BYTES:,} bytes at most")
    try:
        _check_events(text)
        content: Any = yaml.safe_load(text)
        return Job.model_validate(content)
    except yaml.YAMLError as error:
        raise InvalidYaml(f"not valid YAML: {' '.join(str(error).split())}") from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join(map(str, first["loc"]))
        told = "this key cannot be used here" if first["type"] == "extra_forbidden" else first["msg"]
        raise InvalidYaml(f"{key}: {told}" if key else told) from error


def configuration(job: Job, name: str, jobs_dir: Path, tasks: Path | None) -> dict[str, Any]:
    """Configuration for Harbor: the job with absolute paths, its folder, and this server as its environment.

    Raises:
        InvalidYaml: A path leads out of the folder of tasks, or there is no such folder.
    """
    content = job.model_dump(exclude_none=True, exclude_defaults=True)
    content["agents"] = [agent.model_dump(exclude_none=True, exclude_defaults=True) for agent in job.agents]
    content |= {"job_name": name, "jobs_dir": str(jobs_dir)}
    content["environment"] = {**job.environment.model_dump(exclude_none=True), "type": "runloop", "delete": True}
    for kind in ("datasets", "tasks"):
        for position, one in enumerate(content.get(kind, [])):
            if "path" in one and "git_url" not in one:
                one["path"] = str(_within(tasks, one["path"], f"{kind}.{position}.path"))
    return content


def _within(tasks: Path | None, path: str, key: str) -> Path:
    if tasks is None:
        raise InvalidYaml(f"{key}: this server has no folder of tasks; set LOOPYARD_JOBS__HARBOR__TASKS")
    found = (tasks / path).resolve()
    if not found.is_relative_to(tasks.resolve()) or not found.is_dir():
        raise InvalidYaml(f"{key}: {path} is no folder within this server's folder of tasks")
    return found


def _check_events(text: str) -> None:
    """Refuse what cannot be loaded safely: aliases, by which a short text can stand for more than memory holds, and
    deep nesting, which loading takes a stack for.

    Raises:
        InvalidYaml: There is such a thing.
        YAMLError: It is no YAML.
    """
    depth = 0
    events = cast("Iterable[object]", yaml.parse(text, yaml.SafeLoader))  # pyright: ignore[reportUnknownMemberType]
    for event in events:
        if isinstance(event, yaml.AliasEvent):
            raise InvalidYaml("aliases cannot be used here")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            raise InvalidYaml(f"it may be nested {MAX_DEPTH} levels deep at most")
