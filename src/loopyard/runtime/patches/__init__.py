"""Patches in the format of git, made of two states of files. Light: the launcher forks with it."""
