"""Devboxes: isolated Linux sandboxes, and what is done in them."""
