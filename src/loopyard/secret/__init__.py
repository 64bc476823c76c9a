"""Secrets: values under a name, that come out only inside of devboxes."""
