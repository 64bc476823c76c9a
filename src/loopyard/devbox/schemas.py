"""The wire's words for devboxes."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from loopyard.devbox.lifecycle.states import FailureReason, ShutdownReason, StatusName
from loopyard.kit.http.wire import Params, ShortText, StringMap, Text, View
from loopyard.launch.mounts import CodeMountParameters, Mount
from loopyard.launch.parameters import Capability, LaunchParameters
from loopyard.launch.upstreams import GatewaySpecs, McpSpecs

InitiatorType = Literal["unknown", "api", "scenario", "scoring_validation", "reflex"]


MOST_PATH_BYTES = 4096
"""Limit on a path, in bytes of UTF-8: the kernel's own, with the NUL at its end."""


def _fits(path: str) -> str:
    if (size := len(path.encode())) > MOST_PATH_BYTES:
        raise ValueError(f"must have at most {MOST_PATH_BYTES} bytes; it has {size}")
    return path


FilePath = Annotated[Text, Field(min_length=1, max_length=MOST_PATH_BYTES), AfterValidator(_fits)]
"""Where a file is in a devbox."""


class TunnelParams(Params):
    auth_mode: Literal["open", "authenticated"] | None = None
    http_keep_alive: bool | None = None
    wake_on_http: bool | None = None


class DevboxCreateParams(Params):
    blueprint_id: Text | None = None
    blueprint_name: Text | None = None
    code_mounts: list[CodeMountParameters] | None = None
    entrypoint: Text | None = None
    environment_variables: StringMap | None = None
    file_mounts: StringMap | None = None
    gateways: GatewaySpecs | None = None
    launch_parameters: LaunchParameters | None = None
    mcp: McpSpecs | None = None
    metadata: StringMap | None = None
    mounts: list[Mount] | None = None
    name: ShortText | None = None
    secrets: StringMap | None = None
    snapshot_id: Text | None = None
    tunnel: TunnelParams | None = None


class DevboxUpdateParams(Params):
    metadata: StringMap | None = None
    name: ShortText | None = None


class WaitForStatusParams(Params):
    statuses: Annotated[list[StatusName], Field(min_length=1)]
    timeout_seconds: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None


class StateTransition(View):
    status: StatusName | None = None
    transition_time_ms: Any | None = None
    failure_reason: str | None = None


class GatewaySpecView(View):
    gateway_config_id: str
    secret_id: str


class McpSpecView(View):
    mcp_config_id: str
    secret_id: str


class TunnelView(View):
    auth_mode: Literal["open", "authenticated"]
    create_time_ms: int
    http_keep_alive: bool
    tunnel_key: str
    wake_on_http: bool
    auth_token: str | None = None


class DevboxView(View):
    id: str
    status: StatusName
    capabilities: list[Capability] = Field(default_factory=list[Capability])
    create_time_ms: int
    end_time_ms: int | None = None
    launch_parameters: LaunchParameters
    metadata: dict[str, str] = Field(validation_alias="metadata_", serialization_alias="metadata")
    state_transitions: list[StateTransition]
    blueprint_id: str | None = None
    failure_reason: FailureReason | None = None
    gateway_specs: dict[str, GatewaySpecView] | None = None
    initiator_id: str | None = None
    initiator_type: InitiatorType | None = None
    mcp_specs: dict[str, McpSpecView] | None = None
    name: str | None = None
    shutdown_reason: ShutdownReason | None = None
    snapshot_id: str | None = None
    tunnel: TunnelView | None = None


class DevboxListView(View):
    devboxes: list[DevboxView]
    has_more: bool
    total_count: int | None = None


class ReadFileParams(Params):
    file_path: FilePath


class WriteFileParams(Params):
    contents: str
    file_path: FilePath


class DownloadFileParams(Params):
    path: FilePath


class ResourceUsageView(View):
    """DevboxResourceUsageView on the wire. GB stands for GiB, as in the sizes."""

    id: str
    status: str
    start_time_ms: int
    end_time_ms: int | None = None
    total_elapsed_seconds: int
    total_active_seconds: int
    vcpu_seconds: int
    memory_gb_seconds: int
    disk_gb_seconds: int
