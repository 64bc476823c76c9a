"""Rows as SWE-bench has them."""
