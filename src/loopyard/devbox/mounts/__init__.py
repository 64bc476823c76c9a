"""Mounts: content that is put into a devbox before anyone uses it."""
