"""Pages that rank the agents that tried a benchmark."""
