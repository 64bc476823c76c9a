"""Login: an API key is exchanged for a session, which lives in the server's memory."""
