"""Runtime: sandboxes and the commands in them. Knows nothing of scenarios, HTTP or SQL."""
