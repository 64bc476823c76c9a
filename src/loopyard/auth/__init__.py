"""Callers: who calls, what their key may do, and what ends with it."""
