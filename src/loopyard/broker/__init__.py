"""Broker: agent processes in devboxes that are driven by the events of an axon."""
