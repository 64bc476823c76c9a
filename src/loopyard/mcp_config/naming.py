"""Names of tools in the hub: `service.tool`, where the service is what its configuration's name begins with."""

import re
from collections.abc import Sequence
from fnmatch import fnmatchcase

_SERVICE = re.compile(r"[A-Za-z0-9_]{1,64}")


def service_of(name: str) -> str:
    """The service of a configuration: what comes before the first `-` of its name.

    Raises:
        ValueError: No tool can be named by it.
    """
    service = name.partition("-")[0]
    if not _SERVICE.fullmatch(service):
        raise ValueError("what comes before the first '-' names the tools: it must be letters, digits and underscores")
    return service


def is_allowed(service: str, tool: str, globs: Sequence[str]) -> bool:
    """True if a pattern allows a tool, by the name that its server gives it. Patterns may name the service or not."""
    return any(fnmatchcase(f"{service}.{tool}", glob) or fnmatchcase(tool, glob) for glob in globs)
