"""The feature of pages for a browser."""

from loopyard.console import mounting
from loopyard.console.settings import ServerSettings
from loopyard.feature import Feature, Server


def build(server: Server, settings: ServerSettings) -> Feature:
    """Build the console, an application of its own, unless it is switched off."""
    if not settings.console.enabled:
        return Feature()
    return Feature(mounts={mounting.BASE: mounting.create(server.parts, settings)})
