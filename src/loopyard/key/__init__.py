"""API keys: what a caller proves itself with."""
