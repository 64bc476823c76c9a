"""Scenario runs: one attempt at a scenario in a devbox of its own, and the score it gets."""
