"""Frontend of the builder: reads Dockerfiles, checks them, and plans what an engine then does."""
