"""Which provider the settings name."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from loopyard.config import Settings
from loopyard.runtime.config import CrunConfig, DockerConfig
from loopyard.runtime.docker.engine import find_socket
from loopyard.runtime.errors import RuntimeUnavailable


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("IMAGES", "DISK_GIB", "READY_SANDBOXES", "TYPE", "SOCKET"):
        monkeypatch.delenv(f"LOOPYARD_RUNTIME__{name}", raising=False)
    monkeypatch.delenv("DOCKER_HOST", raising=False)


def test_without_a_type_it_is_crun(monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(Settings().runtime, CrunConfig)
    monkeypatch.setenv("LOOPYARD_RUNTIME__DISK_GIB", "7")
    settings = Settings()
    assert isinstance(settings.runtime, CrunConfig)
    assert settings.runtime.disk_gib == 7


def test_docker_is_chosen_by_its_type(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOOPYARD_RUNTIME__TYPE", "docker")
    monkeypatch.setenv("LOOPYARD_RUNTIME__SOCKET", "/some/socket")
    settings = Settings()
    assert isinstance(settings.runtime, DockerConfig)
    assert settings.runtime.socket == Path("/some/socket")


@pytest.mark.parametrize(("name", "value"), [("TYPE", "chroot"), ("TYPE", "docker")])
def test_settings_of_no_provider_are_refused(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(f"LOOPYARD_RUNTIME__{name}", value)
    monkeypatch.setenv("LOOPYARD_RUNTIME__DISK_GIB", "7")
    with pytest.raises(ValidationError):
        Settings()


def test_an_engine_that_is_not_there_is_told_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(RuntimeUnavailable, match=r"looked for .*no-socket.*LOOPYARD_RUNTIME__SOCKET"):
        find_socket(tmp_path / "no-socket")


def test_an_engine_that_is_elsewhere_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:2375")
    with pytest.raises(RuntimeUnavailable, match="socket on this host"):
        find_socket(None)
