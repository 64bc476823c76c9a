"""The feature of MCP configurations and their tokens."""

from loopyard.feature import Feature, Routes, Server
from loopyard.mcp_config.endpoints import router
from loopyard.mcp_hub.token_endpoints import router as token_router


def build(_server: Server, _: object) -> Feature:
    """Return the routers. The hub itself runs in the gateway's process."""
    return Feature(routers=[Routes(router), Routes(token_router)])
