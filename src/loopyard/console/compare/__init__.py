"""Pages that hold benchmark runs and jobs against each other."""
