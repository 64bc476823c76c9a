"""Search: by ids and names, on every page."""
