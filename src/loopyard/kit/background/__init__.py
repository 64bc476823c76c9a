"""Work beside the requests: tasks, periodic work, retries, and locks by priority."""
