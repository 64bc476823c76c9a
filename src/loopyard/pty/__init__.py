"""Terminals in devboxes over WebSocket, in sessions that outlast their connections."""
