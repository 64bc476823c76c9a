"""System files that a scenario's scorers see: as they were before the agent's turn, or as the agent left them."""

from collections.abc import Mapping

from loopyard.kit.errors import BadRequest

KEY = "loopyard.system_files"
"""The key of a scenario's metadata that says so."""

_AS_LEFT, _RESTORED = "as_left", "restored"


def is_as_left(metadata: Mapping[str, str]) -> bool:
    """True if the system stays as the agent left it.

    Raises:
        BadRequest: The metadata say something else that is not known.
    """
    said = metadata.get(KEY, _RESTORED)
    if said not in (_AS_LEFT, _RESTORED):
        raise BadRequest(f"metadata: {KEY} is {_RESTORED} (the default) or {_AS_LEFT}.", field="metadata")
    return said == _AS_LEFT
