"""Loopyard: self-hosted agent sandboxes and agent evaluation behind the Runloop API."""

from importlib.metadata import version

__version__ = version("loopyard")
