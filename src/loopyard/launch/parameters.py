"""How a devbox is to be launched: its size, its user, its life time."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints, field_validator, model_validator

from loopyard.kit.http.wire import MAX_INT, Params, Text
from loopyard.launch.upstreams import GatewaySpecs, McpSpecs
from loopyard.runtime.protocol import Limits, User

GIB = 1024**3
DEFAULT_KEEP_ALIVE_SECONDS = 3600
MAX_KEEP_ALIVE_SECONDS = 172_800
DEFAULT_SUSPEND_DEADLINE_MS = 30_000
MAX_SUSPEND_DEADLINE_MS = 60_000
PIDS = 4096

Capability = Literal["unknown", "docker_in_docker"]

SizeName = Literal["X_SMALL", "SMALL", "MEDIUM", "LARGE", "X_LARGE", "XX_LARGE", "CUSTOM_SIZE"]

SIZES: dict[str, tuple[float, int, int]] = {
    "X_SMALL": (0.5, 1, 4),
    "SMALL": (1, 2, 4),
    "MEDIUM": (2, 4, 8),
    "LARGE": (2, 8, 16),
    "X_LARGE": (4, 16, 16),
    "XX_LARGE": (8, 32, 16),
}
"""Name to CPU cores, GiB of memory and GiB of disk, as the client's documentation of `resource_size_request` says."""

DEFAULT_SIZE = "SMALL"


class UserParameters(Params):
    """The Linux user that commands run as. `uid` 0 with `username` root makes them run as the box's root."""

    uid: Annotated[int, Field(ge=0, le=65_535)]
    username: Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_.-]{0,31}$")]

    @model_validator(mode="after")
    def _root_is_zero(self) -> "UserParameters":
        if (self.uid == 0) != (self.username == "root"):
            raise ValueError("uid 0 and username 'root' go together")
        return self


class AfterIdle(Params):
    idle_time_seconds: Annotated[int, Field(ge=1, le=MAX_INT // 1000)]
    on_idle: Literal["shutdown", "suspend"]


class LifecycleHooks(Params):
    suspend_commands: list[Text] | None = None
    suspend_deadline_ms: Annotated[int, Field(ge=0, le=MAX_SUSPEND_DEADLINE_MS)] | None = None


class ResumeTriggers(Params):
    axon_event: bool | None = None
    http: bool | None = None


class LifecycleConfiguration(Params):
    after_idle: AfterIdle | None = None
    lifecycle_hooks: LifecycleHooks | None = None
    resume_triggers: ResumeTriggers | None = None


class LaunchParameters(Params):
    """The wire's LaunchParameters, in requests and answers alike. None stands for the default."""

    after_idle: AfterIdle | None = None
    architecture: Literal["x86_64", "arm64"] | None = None
    available_ports: list[Annotated[int, Field(ge=0, le=65535)]] | None = None
    custom_cpu_cores: Annotated[int | float, Field(gt=0, le=16)] | None = None
    custom_disk_size: Annotated[int, Field(ge=2, le=64)] | None = None
    custom_gb_memory: Annotated[int, Field(ge=1, le=64)] | None = None
    gateways: GatewaySpecs | None = None
    keep_alive_time_seconds: Annotated[int, Field(ge=1, le=MAX_KEEP_ALIVE_SECONDS)] | None = None
    launch_commands: list[Text] | None = None
    lifecycle: LifecycleConfiguration | None = None
    mcp: McpSpecs | None = None
    network_policy_id: Text | None = None
    provisioning_tier: Literal["standard", "flex"] | None = None
    required_services: list[Text] | None = None
    resource_size_request: SizeName | None = None
    user_parameters: UserParameters | None = None

    @field_validator("custom_cpu_cores")
    @classmethod
    def _whole_cores(cls, cores: float | None) -> float | None:
        if cores is not None and cores not in (0.5, 1) and cores % 2 != 0:
            raise ValueError("must be 0.5, 1, or a multiple of 2")
        return cores

    @field_validator("custom_gb_memory", "custom_disk_size")
    @classmethod
    def _even(cls, size: int | None) -> int | None:
        if size is not None and size != 1 and size % 2 != 0:
            raise ValueError("must be 1 or a multiple of 2")
        return size

    @model_validator(mode="after")
    def _consistent(self) -> "LaunchParameters":
        custom = self.custom_cpu_cores, self.custom_gb_memory
        if self.resource_size_request == "CUSTOM_SIZE":
            if self.custom_cpu_cores is None or self.custom_gb_memory is None:
                raise ValueError("CUSTOM_SIZE needs custom_cpu_cores and custom_gb_memory")
        elif any(value is not None for value in (*custom, self.custom_disk_size)):
            raise ValueError("custom sizes need resource_size_request to be CUSTOM_SIZE")
        inner = self.lifecycle.after_idle if self.lifecycle else None
        if self.after_idle is not None and inner is not None and self.after_idle != inner:
            raise ValueError("after_idle and lifecycle.after_idle differ; give only lifecycle.after_idle")
        return self

    @property
    def idle_policy(self) -> AfterIdle | None:
        """The idle policy, by whichever of its two names it came."""
        return (self.lifecycle.after_idle if self.lifecycle else None) or self.after_idle

    @property
    def keep_alive_seconds(self) -> int | None:
        """Seconds until the devbox is shut down; None where the idle policy decides."""
        if self.idle_policy is not None:
            return None
        return self.keep_alive_time_seconds or DEFAULT_KEEP_ALIVE_SECONDS

    @property
    def suspend_hooks(self) -> LifecycleHooks:
        """Commands to run before a suspend."""
        return (self.lifecycle.lifecycle_hooks if self.lifecycle else None) or LifecycleHooks()

    @property
    def limits(self) -> Limits:
        """The hard limits that the chosen size stands for."""
        cpu, memory, disk = SIZES.get(self.resource_size_request or DEFAULT_SIZE, SIZES[DEFAULT_SIZE])
        if self.resource_size_request == "CUSTOM_SIZE":
            cpu, memory = self.custom_cpu_cores or cpu, self.custom_gb_memory or memory
            disk = self.custom_disk_size or disk
        return Limits(cpu_cores=float(cpu), memory_bytes=memory * GIB, disk_bytes=disk * GIB, pids=PIDS)

    @property
    def user(self) -> User:
        if self.user_parameters is None:
            return User()
        return User(self.user_parameters.username, self.user_parameters.uid)
