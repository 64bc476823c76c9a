"""Connections to the server's port, and the bounds of what callers without a key can hold of it."""
