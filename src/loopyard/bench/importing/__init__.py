"""Turns tasks of other evaluations into scenario folders."""
