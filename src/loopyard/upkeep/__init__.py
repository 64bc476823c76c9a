"""Keeps the host tidy: frees what nothing refers to any more, and tells what takes how much of the disk."""
