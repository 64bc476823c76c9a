"""The process beside the server that carries what devboxes send upstream."""
