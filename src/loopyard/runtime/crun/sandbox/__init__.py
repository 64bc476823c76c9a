"""Sandboxes: how they are made, kept ready, found again and removed."""
