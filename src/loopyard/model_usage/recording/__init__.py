"""Keeps requests and answers of model calls, if that is asked for: without credentials, answers put together."""
