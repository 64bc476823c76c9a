"""Trials: one agent's attempts at one scenario of a job, each with a scenario run of its own."""
