"""States of a layer."""

MAKING = "making"
READY = "ready"
GOING = "going"
"""It is being evicted; nothing starts from it any more."""
