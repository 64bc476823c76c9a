"""Scoring functions: what they are on the wire, and how each is run and judged."""
