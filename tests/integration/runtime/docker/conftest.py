"""A Docker for servers."""

from collections.abc import Generator, Mapping

import pytest

from tests.integration.runtime.dockerd import NoEngine, docker_engine


@pytest.fixture(scope="package")
def on_docker() -> Generator[Mapping[str, str]]:
    """What the environment of a server says to have its sandboxes made by a Docker of the tests' own."""
    try:
        with docker_engine() as socket, pytest.MonkeyPatch.context() as patch:
            for name in ("DISK_GIB", "READY_SANDBOXES"):  # of crun alone
                patch.delenv(f"LOOPYARD_RUNTIME__{name}", raising=False)
            yield {"LOOPYARD_RUNTIME__TYPE": "docker", "LOOPYARD_RUNTIME__SOCKET": str(socket)}
    except NoEngine as reason:
        pytest.skip(str(reason))
