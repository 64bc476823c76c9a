"""Executions: commands run in a devbox."""
