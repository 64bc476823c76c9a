"""A console that somebody is logged in to."""

from tests.integration.console.conftest import console as console
