"""SSH into devboxes, through a gateway of the server's own."""
