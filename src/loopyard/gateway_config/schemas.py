"""The wire's words for gateway configurations."""

from typing import Annotated

from pydantic import AfterValidator, StringConstraints

from loopyard.kit.http.wire import Params, Text, View
from loopyard.upstream_proxy.mechanism import (
    AuthMechanismParams,
    AuthMechanismView,
    CustomHeaders,
    CustomHeaderView,
)
from loopyard.upstream_proxy.schemas import Description, EndpointUrl


def _not_blank(text: str) -> str:
    if not text.strip():
        raise ValueError("must not be blank")
    return text


Name = Annotated[Text, StringConstraints(max_length=1024), AfterValidator(_not_blank)]


class GatewayConfigUpdateParams(Params):
    """Parameters of an update. A field that is not given stays; custom headers that are given replace all earlier
    ones."""

    auth_mechanism: AuthMechanismParams | None = None
    custom_headers: CustomHeaders | None = None
    description: Description | None = None
    endpoint: EndpointUrl | None = None
    name: Name | None = None


class GatewayConfigCreateParams(GatewayConfigUpdateParams):
    auth_mechanism: AuthMechanismParams  # pyright: ignore[reportGeneralTypeIssues, reportIncompatibleVariableOverride]
    endpoint: EndpointUrl  # pyright: ignore[reportGeneralTypeIssues, reportIncompatibleVariableOverride]
    name: Name  # pyright: ignore[reportGeneralTypeIssues, reportIncompatibleVariableOverride]


class GatewayConfigView(View):
    id: str
    auth_mechanism: AuthMechanismView
    create_time_ms: int
    endpoint: str
    name: str
    account_id: str | None = None
    custom_headers: list[CustomHeaderView] | None = None
    description: str | None = None


class GatewayConfigListView(View):
    gateway_configs: list[GatewayConfigView]
    has_more: bool
    total_count: int | None = None
