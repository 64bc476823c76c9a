"""Makes trajectories of recorded calls of models, in Harbor's interchange format (ATIF)."""
