"""Checks and lookups of a create, before anything is made."""
