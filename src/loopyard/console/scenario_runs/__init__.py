"""Pages of scenario runs."""
