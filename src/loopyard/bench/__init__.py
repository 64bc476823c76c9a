"""Runs folders of scenarios against a server, through its HTTP API by the official client, and reports the scores."""
