"""The wire's words for tokens of the MCP hub."""

from loopyard.kit.http.wire import Params, Text, View


class McpTokenParams(Params):
    mcp_config: Text
    secret: Text


class McpTokenView(View):
    token: str
    allowed_tools: list[str]
    devbox_id: str
    endpoint: str
    mcp_config_id: str
    url: str
