"""How readers put several results of one test together."""

from ..outcomes import Statuses, worse


def add(found: Statuses, name: str, status: str) -> None:
    """Note a test's status; of several the worst one counts."""
    known = found.get(name)
    if known is None or worse(status, known[0]):
        found[name] = (status, "")
