"""Types of the wire that gateways and the MCP hub share."""

from typing import Annotated

from pydantic import AfterValidator, StringConstraints

from loopyard.kit.http.wire import Text
from loopyard.upstream_proxy.endpoint import Endpoint


def _endpoint(url: str) -> str:
    Endpoint.parse(url)
    return url


Description = Annotated[Text, StringConstraints(max_length=16384)]
EndpointUrl = Annotated[Text, AfterValidator(_endpoint)]
