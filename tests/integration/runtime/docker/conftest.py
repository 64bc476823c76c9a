"""A Docker for servers."""

from collections.abc import Generator, Mapping

import pytest

from tests.integration.runtime.dockerd import NoEngine, docker_engine


@pytest.fixture(scope="package")
def on_docker() -> Generator[Mapping[str, str | None]]:
    """Variables of a server that has its sandboxes made by a Docker of the tests' own; None: it must not have it."""
    try:
        with docker_engine() as socket:
            settings_of_crun = {f"LOOPYARD_RUNTIME__{name}": None for name in ("DISK_GIB", "READY_SANDBOXES")}
            yield {"LOOPYARD_RUNTIME__TYPE": "docker", "LOOPYARD_RUNTIME__SOCKET": str(socket), **settings_of_crun}
    except NoEngine as reason:
        pytest.skip(str(reason))
