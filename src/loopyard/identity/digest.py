"""Digests of keys: the store keeps no key itself."""

import hashlib


def digest(key: str) -> str:
    """The SHA-256 of a key, in hexadecimal, as it is stored. Keys are long and random, so no salt is needed."""
    return hashlib.sha256(key.encode()).hexdigest()
