"""Reads what agents and their users said out of an axon's events, by the protocols of brokers."""
