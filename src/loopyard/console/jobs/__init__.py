"""Pages of benchmark jobs."""
