"""Requests and answers: bodies, errors, repeats, streams, and what every message on the wire shares."""
