"""What is tested here is the start and the end of the program itself."""

import pytest

from tests.serving import ServerProcess


@pytest.fixture(autouse=True)
def programs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each server is a program that is started."""
    monkeypatch.setattr(ServerProcess, "forking", None)
