"""The MCP hub: tools of upstream MCP servers, with credentials that no devbox sees."""
