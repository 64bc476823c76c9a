"""Kinds of agents that are described by data, one TOML file each, for jobs that run them."""
