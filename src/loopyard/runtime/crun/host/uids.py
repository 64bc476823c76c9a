"""User and group ids of a sandbox."""

UIDS = 65536
"""How many of each a sandbox has."""
