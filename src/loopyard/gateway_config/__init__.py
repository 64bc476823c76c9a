"""Gateway configurations: upstreams that devboxes may call, and how a credential is put on a call."""
