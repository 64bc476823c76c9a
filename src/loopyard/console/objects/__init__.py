"""Pages of objects."""
