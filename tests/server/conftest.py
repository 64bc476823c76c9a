"""What is tested here is the start and the end of the program itself."""

import pytest

from tests import commands


@pytest.fixture(autouse=True)
def programs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each server is a program that is started."""
    monkeypatch.setattr(commands, "forking", None)
