"""Opens the provider: checks the engine, and makes what is missing."""

import hashlib
import logging
from pathlib import Path

import aiodocker
import aiohttp

from loopyard.runtime.config import DockerConfig
from loopyard.runtime.docker.building.builder import DockerImageBuilder
from loopyard.runtime.docker.building.buildkit import find_client
from loopyard.runtime.docker.engine import Engine, find_socket
from loopyard.runtime.docker.images import Snapshots, ensure_base_image
from loopyard.runtime.docker.provider import DockerParts, DockerRuntime
from loopyard.runtime.docker.survey import survey
from loopyard.runtime.errors import RuntimeUnavailable
from loopyard.runtime.layout import Layout

log = logging.getLogger("loopyard.runtime")


async def open_docker(config: DockerConfig, data_dir: Path) -> DockerRuntime:
    """The provider over a data folder. Whoever opens it closes it.

    Raises:
        RuntimeUnavailable: The engine does not answer, or does not do what is needed; the message says what.
    """
    engine = Engine(find_socket(config.socket))
    try:
        return DockerRuntime(await _open_parts(config, data_dir, engine))
    except (aiodocker.DockerError, OSError, aiohttp.ClientError) as error:
        await engine.close()
        raise RuntimeUnavailable(f"The engine at {engine.path} does not do what is needed: {error}") from error
    except BaseException:
        await engine.close()
        raise


async def _open_parts(config: DockerConfig, data_dir: Path, engine: Engine) -> DockerParts:
    layout = Layout(data_dir)
    server = f"loopyard-{hashlib.sha256(str(data_dir.resolve()).encode()).hexdigest()[:12]}"
    base = await ensure_base_image(engine, config.images_of(data_dir), config.ca_bundle, config.base_image)
    found = await survey(engine, base, config.network)
    snapshots = Snapshots(engine, server)
    layout.sandboxes.mkdir(parents=True, exist_ok=True)
    layout.commands.mkdir(parents=True, exist_ok=True)
    await snapshots.sweep()
    client = await find_client(engine) if config.buildkit else None
    if client is None:
        log.warning("images are built by the engine's classic builder, without secrets and mounts of RUN")
    else:
        log.warning("builds with secrets or mounts of RUN have no limits of memory and CPU: BuildKit has none")
    builder = DockerImageBuilder(engine, server, data_dir, base, found.network, client)
    await builder.open()
    return DockerParts(layout, engine, server, base, found, snapshots, builder, config.ca_bundle)
