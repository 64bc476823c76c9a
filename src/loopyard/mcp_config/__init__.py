"""MCP configurations: upstream MCP servers that devboxes may call, and which of their tools."""
