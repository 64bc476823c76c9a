"""Agents: programs that solve problems, known by name and version, and put into devboxes."""
