"""Tunnels: HTTP and WebSocket from outside to a port of a devbox, by host name."""
