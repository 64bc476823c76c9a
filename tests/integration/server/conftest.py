"""Some of these tests are about the program itself, from its first line on."""

import pytest

from tests import commands


@pytest.fixture
def programs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each server is a program that is started, not forked."""
    monkeypatch.setattr(commands, "forking", None)
