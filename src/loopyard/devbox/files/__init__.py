"""Files of a devbox: read, written and listed."""
