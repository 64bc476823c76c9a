"""Worker processes that run statements. Light: they are forked with nothing of the server loaded."""
