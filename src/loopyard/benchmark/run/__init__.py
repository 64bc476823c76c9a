"""Benchmark runs: the scenario runs that were made for one evaluation, and their common score."""
