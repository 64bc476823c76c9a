"""Calls of devboxes to upstreams with credentials that no devbox sees: what the gateway and the MCP hub share."""
