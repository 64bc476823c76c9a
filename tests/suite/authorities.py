"""Loads certificate authorities once in a process: each new client would parse them again, for some 20 ms."""

import functools
import ssl
from typing import Any

import certifi


def load_once() -> None:
    """Have default contexts with certifi's authorities, such as httpx makes for each transport, be one context."""
    make = ssl.create_default_context
    shared = functools.cache(lambda: make(cafile=certifi.where()))

    @functools.wraps(make)
    def create(*arguments: Any, **options: Any) -> ssl.SSLContext:
        if not arguments and options == {"cafile": certifi.where()}:
            return shared()
        return make(*arguments, **options)

    ssl.create_default_context = create
