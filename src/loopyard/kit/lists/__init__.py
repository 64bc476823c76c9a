"""Lists: pages by key, and filters by name and metadata."""
