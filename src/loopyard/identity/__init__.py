"""Identities: accounts, their keys, and the rights of keys, as they are stored."""
