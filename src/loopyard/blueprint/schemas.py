"""The wire's words for blueprints."""

import re
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints, field_validator, model_validator

from loopyard.blueprint.states import StateName, StatusName
from loopyard.kit.http.wire import Params, ShortText, StringMap, Text, View
from loopyard.launch.mounts import CodeMountParameters
from loopyard.launch.parameters import Capability, LaunchParameters
from loopyard.runtime.images import BuildFault

MAX_DOCKERFILE = 1024**2
"""Limit on a Dockerfile: 1 MiB."""

MAX_COMMAND = 120_000

_PORTS = re.compile(r"(?P<outside>\d{1,5})(:(?P<inside>\d{1,5}))?(/(tcp|udp))?")

Variable = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,127}$")]
Command = Annotated[Text, Field(min_length=1, max_length=MAX_COMMAND)]
Target = Annotated[Text, Field(min_length=1, max_length=4096)]


class BuildContext(Params):
    object_id: Text
    type: Literal["object"]


class ServiceCredentials(Params):
    password: Text
    username: Text


class Service(Params):
    """A container that can run beside devboxes. Their network is its own, so that ports are the same on both sides."""

    image: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._/:@-]{0,511}$")]
    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$")]
    credentials: ServiceCredentials | None = None
    env: StringMap | None = None
    options: Text | None = None
    port_mappings: list[Text] | None = None

    @field_validator("port_mappings")
    @classmethod
    def _same_ports(cls, given: list[str] | None) -> list[str] | None:
        for one in given or []:
            found = _PORTS.fullmatch(one)
            if found is None:
                raise ValueError("must be like 5432:5432")
            if found["inside"] is not None and found["inside"] != found["outside"]:
                raise ValueError("a service is in the devbox's own network: both ports must be the same")
        return given


class BlueprintBuildParameters(Params):
    """The wire's BlueprintCreateParams and BlueprintPreviewParams, and the parameters that a view shows."""

    name: Annotated[ShortText, Field(min_length=1)]
    base_blueprint_id: Text | None = None
    base_blueprint_name: Text | None = None
    build_args: dict[Variable, Text] | None = None
    build_context: BuildContext | None = None
    code_mounts: list[CodeMountParameters] | None = None
    dockerfile: Annotated[Text, Field(max_length=MAX_DOCKERFILE)] | None = None
    file_mounts: dict[Target, Text] | None = None
    launch_parameters: LaunchParameters | None = None
    metadata: StringMap | None = None
    network_policy_id: Text | None = None
    secrets: dict[Variable, Text] | None = None
    services: list[Service] | None = None
    system_setup_commands: list[Command] | None = None

    @model_validator(mode="after")
    def _one_base(self) -> "BlueprintBuildParameters":
        given = [
            name
            for name in ("base_blueprint_id", "base_blueprint_name", "dockerfile")
            if getattr(self, name) is not None
        ]
        if len(given) > 1:
            raise ValueError(f"give only one of {' and '.join(given)}")
        return self

    @field_validator("services")
    @classmethod
    def _named_once(cls, services: list[Service] | None) -> list[Service] | None:
        names = [service.name for service in services or []]
        if len(set(names)) < len(names):
            raise ValueError("two services have the same name")
        return services


class BlueprintView(View):
    id: str
    create_time_ms: int
    name: str
    parameters: BlueprintBuildParameters
    state: StateName
    status: StatusName
    base_blueprint_id: str | None = None
    build_finish_time_ms: int | None = None
    containerized_services: list[Service] | None = None
    devbox_capabilities: list[Capability] | None = None
    failure_reason: BuildFault | None = None
    is_public: bool | None = None
    metadata: dict[str, str] | None = Field(default=None, validation_alias="metadata_", serialization_alias="metadata")

    @classmethod
    def of(cls, blueprint: Any) -> "BlueprintView":
        view = cls.model_validate(blueprint)
        view.containerized_services = view.parameters.services
        return view


class BlueprintListView(View):
    blueprints: list[BlueprintView]
    has_more: bool
    total_count: int | None = None


class BlueprintPreviewView(View):
    dockerfile: str


class BlueprintBuildLog(View):
    level: str
    message: str
    timestamp_ms: int


class BlueprintBuildLogsListView(View):
    blueprint_id: str
    logs: list[BlueprintBuildLog]
