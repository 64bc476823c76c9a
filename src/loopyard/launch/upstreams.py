"""Upstream calls of a devbox in a request: by the name of a variable, a configuration and a secret."""

import re
from collections.abc import Mapping
from typing import Annotated, TypeVar

from pydantic import AfterValidator, Field

from loopyard.kit.http.wire import Params, Text

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,254}")

MAX_UPSTREAMS = 32


def _variable(name: str) -> str:
    if not _VARIABLE.fullmatch(name):
        raise ValueError("must be the name of a variable: letters, digits and underscores")
    return name


Variable = Annotated[Text, AfterValidator(_variable)]


class GatewaySpecParams(Params):
    """Both by id or name."""

    gateway: Text
    secret: Text


class McpSpecParams(Params):
    """Both by id or name."""

    mcp_config: Text
    secret: Text


GatewaySpecs = Annotated[dict[Variable, GatewaySpecParams], Field(max_length=MAX_UPSTREAMS)]
McpSpecs = Annotated[dict[Variable, McpSpecParams], Field(max_length=MAX_UPSTREAMS)]

_Spec = TypeVar("_Spec")


def merged(outer: Mapping[str, _Spec] | None, inner: Mapping[str, _Spec] | None) -> dict[str, _Spec] | None:
    """Both, of which `inner` goes first where they name the same variable."""
    return {**(outer or {}), **(inner or {})} or None
