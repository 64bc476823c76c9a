"""Contents of `task.toml` as Harbor 0.26 defines it, as far as they matter for a scenario.

As in Harbor, keys that are not known are passed over. What a scenario cannot be is told by `unsupported`.
"""

from collections.abc import Iterator
from typing import Annotated, Any, Literal, cast

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

DEFAULT_VERIFIER_SECONDS = 600.0
_UNITS_TO_MB = {"G": 1024.0, "M": 1.0, "K": 1 / 1024}

NetworkMode = Literal["no-network", "public", "allowlist"]
Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class Table(BaseModel):
    model_config = ConfigDict(extra="ignore")


class Phase(Table):
    """Fields that `[agent]` and `[verifier]` share."""

    user: str | int | None = None
    network_mode: NetworkMode | None = None
    allowed_hosts: list[str] | None = None


class Agent(Phase):
    timeout_sec: Seconds | None = None


class Verifier(Phase):
    timeout_sec: Seconds = DEFAULT_VERIFIER_SECONDS
    env: dict[str, str] = {}
    environment_mode: Literal["shared", "separate"] | None = None
    environment: dict[str, Any] | None = None
    collect: list[Any] = []


class Healthcheck(Table):
    command: str
    interval_sec: Seconds = 5.0
    timeout_sec: Seconds = 30.0
    start_period_sec: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    retries: Annotated[int, Field(gt=0)] = 3


class Environment(Table):
    docker_image: str | None = None
    os: str = "linux"
    cpus: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    memory_mb: Annotated[int, Field(gt=0)] | None = None
    storage_mb: Annotated[int, Field(gt=0)] | None = None
    gpus: int | None = None
    tpu: Any = None
    mcp_servers: list[Any] = []
    env: dict[str, str] = {}
    skills_dir: str | None = None
    healthcheck: Healthcheck | None = None
    workdir: str | None = None
    network_mode: NetworkMode | None = None
    allowed_hosts: list[str] | None = None
    allow_internet: bool | None = None

    @model_validator(mode="before")
    @classmethod
    def _older_names(cls, data: Any) -> Any:
        """`memory = "2G"` and `storage` are the older way to say `memory_mb` and `storage_mb`."""
        if not isinstance(data, dict):
            return data
        table = dict(cast("dict[str, Any]", data))
        for old in ("memory", "storage"):
            if isinstance(table.get(old), str):
                table.setdefault(f"{old}_mb", _megabytes(table[old]))
        return table

    @field_validator("workdir")
    @classmethod
    def _absolute(cls, workdir: str | None) -> str | None:
        if workdir is not None and not workdir.startswith("/"):
            raise ValueError("must be an absolute path")
        return workdir

    @property
    def hosts(self) -> list[str] | None:
        """The hosts that may be reached; None for all."""
        mode = self.network_mode or ("no-network" if self.allow_internet is False else "public")
        if mode == "public":
            return None
        return list(self.allowed_hosts or []) if mode == "allowlist" else []


class Solution(Table):
    env: dict[str, str] = {}


class Package(Table):
    name: Annotated[str, Field(min_length=1)]


class TaskConfig(Table):
    """Contents of a `task.toml`."""

    task: Package | None = None
    metadata: dict[str, Any] = {}
    verifier: Verifier = Verifier()
    agent: Agent = Agent()
    environment: Environment = Environment()
    solution: Solution = Solution()
    steps: list[Any] = []

    def unsupported(self) -> Iterator[tuple[tuple[str, ...], str]]:
        """Each key that asks for what a scenario does not have, and why."""
        environment, verifier = self.environment, self.verifier
        if self.steps:
            yield ("steps",), "a scenario has one step; make a task of each"
        if environment.os.lower() != "linux":
            yield ("environment", "os"), "boxes run Linux"
        if environment.gpus:
            yield ("environment", "gpus"), "boxes have no GPU"
        if environment.tpu is not None:
            yield ("environment", "tpu"), "boxes have no TPU"
        if environment.mcp_servers:
            yield ("environment", "mcp_servers"), "a scenario gives agents no MCP servers"
        if environment.skills_dir:
            yield ("environment", "skills_dir"), "a scenario gives agents no skills"
        if verifier.environment_mode == "separate" or verifier.environment is not None:
            key = "environment" if verifier.environment is not None else "environment_mode"
            yield ("verifier", key), "scenarios are scored in the agent's own box"
        if verifier.collect:
            yield ("verifier", "collect"), "there are no other services to collect from"
        for name, phase in (("agent", self.agent), ("verifier", verifier)):
            if phase.user not in (None, 0, "0", "root"):
                yield (name, "user"), "agent and scorers of a scenario run as one user, here root"
            own = Environment(network_mode=phase.network_mode, allowed_hosts=phase.allowed_hosts)
            if phase.network_mode is not None and own.hosts != environment.hosts:
                yield (name, "network_mode"), "agent and scorers of a scenario have one network, that of [environment]"


def _megabytes(size: str) -> int:
    text = size.strip().upper()
    factor = _UNITS_TO_MB.get(text[-1:])
    if factor is None:
        raise ValueError(f"{size!r} is no size; write it like 512M or 2G")
    return int(float(text[:-1]) * factor)
