"""The conformance suite on dockerd with its BuildKit, where it is installed: it keeps the cases honest."""

import json
import os
import subprocess
import tarfile
from collections.abc import Generator, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from tests.integration.runtime.dockerd import NoEngine, docker_engine
from tests.slow.blueprint.conformance.bases import base_archive
from tests.slow.blueprint.conformance.cases import DOCKER_VERSION, Case, cases, checking, differences, packed
from tests.slow.blueprint.conformance.remote import remote_host

ALL = cases()
_CLIENT = "/usr/bin/docker"
"""The distribution's client, which speaks to the BuildKit of its dockerd; later ones need a plug-in for it."""


class Docker:
    """A client of one dockerd."""

    def __init__(self, path: Path) -> None:
        self._command = (_CLIENT, "--host", f"unix://{path}")

    def run(self, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            (*self._command, *arguments),
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
            env={**os.environ, "DOCKER_BUILDKIT": "1"},
            **options,
        )


@pytest.fixture(scope="module")
def docker(tmp_path_factory: pytest.TempPathFactory) -> Generator[Docker]:
    if not Path(_CLIENT).exists():
        pytest.skip("Debian's docker client is not installed")
    try:
        with docker_engine() as path:
            client = Docker(path)
            version = client.run("version", "--format", "{{.Server.Version}}").stdout
            if not version.startswith(DOCKER_VERSION):
                pytest.skip(f"the list of differences is for dockerd {DOCKER_VERSION}, and this is {version.strip()}")
            made = client.run("import", str(base_archive(tmp_path_factory.mktemp("conformance"))), "base")
            assert made.returncode == 0, made.stderr
            yield client
    except NoEngine as reason:
        pytest.skip(str(reason))


@pytest.fixture(scope="module")
def remote(tmp_path_factory: pytest.TempPathFactory) -> Generator[dict[str, str]]:
    with remote_host(tmp_path_factory.mktemp("remote")) as filled:
        yield filled


@pytest.mark.parametrize("case", ALL, ids=[case.id for case in ALL])
def test_a_case(case: Case, docker: Docker, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    filled: dict[str, str] = request.getfixturevalue("remote") if case.is_remote else {}
    context = tmp_path / "context"
    context.mkdir()
    with tarfile.open(fileobj=BytesIO(packed(case))) as tar:
        tar.extractall(context, filter="fully_trusted")  # noqa: S202
    for name, what in case.context.items():
        given: dict[str, str] = what.get("attributes", {}) if isinstance(what, dict) else {}
        for attribute, value in given.items():
            os.setxattr(context / name, attribute, bytes.fromhex(value), follow_symlinks=False)
    wrong = _differences(case, filled, docker, context, tmp_path / "Dockerfile")
    if case.docker is not None:
        assert wrong, f"It does as the case says, so it is no difference any more: {case.docker}"
        return
    assert wrong == []


def _differences(case: Case, filled: Mapping[str, str], docker: Docker, context: Path, dockerfile: Path) -> list[str]:
    dockerfile.write_text(case.text(filled) if case.config else checking(case, filled))
    given = [part for name, value in case.args.items() for part in ("--build-arg", f"{name}={value}")]
    options = ("--progress=plain", "--no-cache", "--file", str(dockerfile), "--iidfile", str(dockerfile) + ".id")
    done = docker.run("build", *options, *given, str(context))
    if case.error is not None:
        return ["it builds"] if done.returncode == 0 else []
    if done.returncode != 0:
        return [done.stderr[-3_000:]]
    if not case.config:
        return differences(case, done.stderr)
    image = Path(str(dockerfile) + ".id").read_text()
    said = json.loads(docker.run("image", "inspect", image).stdout)[0]["Config"]
    return [
        f"{name} is {said.get(name)!r}, not {value!r}"
        for name, value in case.config.items()
        if (said.get(name) or type(value)()) != value
    ]
