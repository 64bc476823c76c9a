"""Pages of devboxes: the list, and for each its state, log, commands, files and terminal."""
