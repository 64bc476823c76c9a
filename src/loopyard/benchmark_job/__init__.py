"""Benchmark jobs: agents that are set to scenarios by the server itself, and what came of it."""
