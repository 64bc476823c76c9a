"""Evictions: devboxes that the operator wants off this host are suspended, after a warning."""
