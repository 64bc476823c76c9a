"""The keys that the inline YAML of a Harbor job may have: Harbor's own, as far as they are data."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

_VARIABLE = re.compile(r"\$\{([^}:]*)(?::-[^}]*)?\}")
_FROM_HOST = re.compile(r"(path|dir|file|folder)s?$", re.IGNORECASE)

Count = Annotated[int, Field(ge=1, le=1024)]
Factor = Annotated[float, Field(gt=0, le=100, allow_inf_nan=False)]
Seconds = Annotated[float, Field(gt=0, le=604_800, allow_inf_nan=False)]
Variables = dict[Annotated[str, StringConstraints(pattern=r"^[A-Za-z_]\w*$")], str]
Relative = Annotated[str, StringConstraints(min_length=1, max_length=4096)]
Https = Annotated[str, StringConstraints(pattern=r"^https://[^\s]+$")]


def _downwards(path: str) -> str:
    if path.startswith("/") or ".." in Path(path).parts:
        raise ValueError("must be relative and lead downwards")
    return path


class Table(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Agent(Table):
    name: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]*$")]
    """Name of an environment that Harbor ships."""
    model_name: str | None = None
    override_timeout_sec: Seconds | None = None
    override_setup_timeout_sec: Seconds | None = None
    max_timeout_sec: Seconds | None = None
    n_concurrent: Count | None = None
    concurrency_group: str | None = None
    env: Variables = {}
    kwargs: dict[str, Any] = {}

    @model_validator(mode="after")
    def _nothing_of_the_host(self) -> "Agent":
        named = next((key for key in _keys(self.kwargs) if _FROM_HOST.search(key)), None)
        if named is not None:
            raise ValueError(f"kwargs.{named} names files of the server; it cannot be used here")
        return self


class Environment(Table):
    type: Literal["runloop"] | None = None
    force_build: bool | None = None
    override_cpus: Annotated[float, Field(gt=0)] | None = None
    override_memory_mb: Annotated[int, Field(gt=0)] | None = None
    override_storage_mb: Annotated[int, Field(gt=0)] | None = None
    env: Variables = {}


class Verifier(Table):
    override_timeout_sec: Seconds | None = None
    max_timeout_sec: Seconds | None = None
    env: Variables = {}
    disable: bool | None = None


class Retry(Table):
    max_retries: Annotated[int, Field(ge=0, le=100)] | None = None
    include_exceptions: list[str] | None = None
    exclude_exceptions: list[str] | None = None
    wait_multiplier: Annotated[float, Field(ge=0)] | None = None
    min_wait_sec: Annotated[float, Field(ge=0)] | None = None
    max_wait_sec: Annotated[float, Field(ge=0)] | None = None


class Orchestrator(Table):
    """The older place of three keys."""

    type: str | None = None
    n_concurrent_trials: Count | None = None
    quiet: bool | None = None
    retry: Retry | None = None


class DataSet(Table):
    path: Relative | None = None
    name: str | None = None
    version: str | None = None
    ref: str | None = None
    task_names: list[str] | None = None
    exclude_task_names: list[str] | None = None
    n_tasks: Count | None = None


class Task(Table):
    path: Annotated[Relative, AfterValidator(_downwards)] | None = None
    git_url: Https | None = None
    git_commit_id: str | None = None
    name: str | None = None
    ref: str | None = None


class Job(Table):
    """Harbor's job configuration, as far as it is data."""

    job_name: str | None = None
    n_attempts: Count | None = None
    n_concurrent_trials: Count | None = None
    timeout_multiplier: Factor | None = None
    agent_timeout_multiplier: Factor | None = None
    verifier_timeout_multiplier: Factor | None = None
    agent_setup_timeout_multiplier: Factor | None = None
    environment_build_timeout_multiplier: Factor | None = None
    debug: bool | None = None
    quiet: bool | None = None
    retry: Retry | None = None
    orchestrator: Orchestrator | None = None
    environment: Environment = Environment()
    verifier: Verifier | None = None
    agents: Annotated[list[Agent], Field(min_length=1, max_length=100)]
    datasets: list[DataSet] = []
    tasks: list[Task] = []
    artifacts: list[str] | None = None
    extra_instructions: list[str] | None = None

    @model_validator(mode="after")
    def _has_tasks(self) -> "Job":
        if not self.datasets and not self.tasks:
            raise ValueError("name datasets or tasks")
        return self

    @property
    def variables(self) -> list[str]:
        """The variables whose values it asks for: `${NAME}`."""
        return list(dict.fromkeys(name for text in _texts(self.model_dump()) for name in _VARIABLE.findall(text)))


def _keys(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, item in value.items():  # pyright: ignore[reportUnknownVariableType]
            yield str(key)  # pyright: ignore[reportUnknownArgumentType]
            yield from _keys(item)
    elif isinstance(value, list):
        for item in value:  # pyright: ignore[reportUnknownVariableType]
            yield from _keys(item)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():  # pyright: ignore[reportUnknownVariableType]
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:  # pyright: ignore[reportUnknownVariableType]
            yield from _texts(item)
