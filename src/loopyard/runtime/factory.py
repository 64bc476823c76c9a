"""Opens the provider that a configuration names."""

from pathlib import Path

from loopyard.runtime.config import CrunConfig, DockerConfig
from loopyard.runtime.protocol import Runtime


async def open_runtime(config: CrunConfig | DockerConfig, data_dir: Path) -> Runtime:
    """Open a provider over a data folder: check rights and programs, make what is missing, and take up again what an
    earlier process left running. Whoever opens it closes it.

    Raises:
        RuntimeUnavailable: This host cannot run the provider; the message says what to do about it.
    """
    # Each provider has libraries that the other does not need.
    if isinstance(config, DockerConfig):
        from loopyard.runtime.docker.opening import open_docker

        return await open_docker(config, data_dir)
    from loopyard.runtime.crun.opening import open_crun

    return await open_crun(config, data_dir)
