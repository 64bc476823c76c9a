"""Scenarios: repeatable tasks with an environment and a scoring contract, and their runs."""
