"""Benchmarks: sets of scenarios, and their runs."""
