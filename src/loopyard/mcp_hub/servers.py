"""MCP servers that a devbox's token stands for, as the server's process tells them."""

from dataclasses import dataclass

from loopyard.mcp_config.naming import is_allowed
from loopyard.upstream_proxy.channel import Message
from loopyard.upstream_proxy.hop import Field


@dataclass(frozen=True, slots=True)
class McpServer:
    """`credentials` are the header fields that are put on requests to it."""

    id: str
    name: str
    service: str
    endpoint: str
    allowed_tools: tuple[str, ...]
    credentials: tuple[Field, ...]

    @classmethod
    def told(cls, message: Message) -> "McpServer":
        """As `McpAdmission` tells it."""
        credentials = tuple((str(name), str(value)) for name, value in message["set"])
        globs = tuple(str(glob) for glob in message["allowed_tools"])
        return cls(message["id"], message["name"], message["service"], message["endpoint"], globs, credentials)

    def allows(self, tool: str) -> bool:
        """True if devboxes may use this tool, by the name that the MCP server gives it."""
        return is_allowed(self.service, tool, self.allowed_tools)
