"""The wire's words for MCP configurations."""

from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints

from loopyard.kit.http.wire import Params, Text, View
from loopyard.mcp_config.naming import service_of
from loopyard.upstream_proxy.mechanism import AuthMechanismParams, AuthMechanismView, CustomHeaders, CustomHeaderView
from loopyard.upstream_proxy.schemas import Description, EndpointUrl

MAX_GLOBS = 1000


def _name(name: str) -> str:
    service_of(name)
    return name


def _glob(glob: str) -> str:
    if not glob.strip():
        raise ValueError("must not be blank; '*' allows all tools")
    return glob


Name = Annotated[Text, StringConstraints(max_length=1024), AfterValidator(_name)]
Glob = Annotated[Text, StringConstraints(max_length=256), AfterValidator(_glob)]
Globs = Annotated[list[Glob], Field(min_length=1, max_length=MAX_GLOBS)]


class McpConfigUpdateParams(Params):
    """Parameters of an update. A field that is not given stays; lists that are given replace all earlier values."""

    allowed_tools: Globs | None = None
    auth_mechanism: AuthMechanismParams | None = None
    custom_headers: CustomHeaders | None = None
    description: Description | None = None
    endpoint: EndpointUrl | None = None
    name: Name | None = None


class McpConfigCreateParams(McpConfigUpdateParams):
    allowed_tools: Globs  # pyright: ignore[reportGeneralTypeIssues, reportIncompatibleVariableOverride]
    endpoint: EndpointUrl  # pyright: ignore[reportGeneralTypeIssues, reportIncompatibleVariableOverride]
    name: Name  # pyright: ignore[reportGeneralTypeIssues, reportIncompatibleVariableOverride]


class McpConfigView(View):
    id: str
    allowed_tools: list[str]
    auth_mechanism: AuthMechanismView
    create_time_ms: int
    endpoint: str
    name: str
    custom_headers: list[CustomHeaderView] | None = None
    description: str | None = None


class McpConfigListView(View):
    mcp_configs: list[McpConfigView]
    has_more: bool
    total_count: int | None = None
