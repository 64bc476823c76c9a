"""Registries are told who asks, as buildah on the host would tell them."""

import base64
import json
from pathlib import Path

import pytest

from loopyard.runtime.crun.building.logins import logins
from loopyard.runtime.images import RegistryLogin


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file where the host's logins are."""
    monkeypatch.setenv("REGISTRY_AUTH_FILE", str(tmp_path / "auth.json"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    return tmp_path / "auth.json"


def test_a_builds_own_login_goes_before_the_hosts(host: Path) -> None:
    host.write_text(json.dumps({"auths": {"docker.io": {"auth": "host"}, "example.org": {"auth": "host"}}}))
    known = logins(RegistryLogin("postgres:15", "user", "word"))["auths"]
    assert base64.b64decode(known["docker.io"]["auth"]) == b"user:word"
    assert known["example.org"] == {"auth": "host"}


def test_no_login_of_the_host_for_a_part_of_a_registry_goes_before_a_builds_own(host: Path) -> None:
    host.write_text(json.dumps({"auths": {"example.org/team": {"auth": "host"}, "example.org.uk": {"auth": "host"}}}))
    known = logins(RegistryLogin("example.org/team/tool", "user", "word"))["auths"]
    assert sorted(known) == ["example.org", "example.org.uk"]


def test_a_registry_with_a_port_is_named_with_it(host: Path) -> None:
    assert not host.exists()
    assert list(logins(RegistryLogin("127.0.0.1:5000/db", "user", "word"))["auths"]) == ["127.0.0.1:5000"]


def test_without_logins_there_is_no_file_to_make(host: Path) -> None:
    assert logins(None) == {}
    host.write_text("no JSON")
    assert logins(None) == {}
