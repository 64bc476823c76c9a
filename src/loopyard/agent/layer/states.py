"""States of a layer."""

MAKING = "making"
READY = "ready"
GOING = "going"
"""Being evicted; nothing starts from it any more."""
