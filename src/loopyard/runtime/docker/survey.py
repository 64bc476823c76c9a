"""Features of an engine, found out once: some of them only by trying."""

import json
import logging
from dataclasses import dataclass
from typing import Any

import aiodocker

from loopyard.runtime.docker.engine import Engine
from loopyard.runtime.protocol import Features

log = logging.getLogger("loopyard.runtime")

_NETWORK = "loopyard"


@dataclass(frozen=True, slots=True)
class Survey:
    """`network` is the engine's network that sandboxes are on."""

    features: Features
    network: str


async def survey(engine: Engine, image: str, network: str | None) -> Survey:
    """Look at the engine. `network` None is one of our own, on which sandboxes cannot reach each other."""
    info: dict[str, Any] = await engine.ask("GET", "info")
    security = " ".join(info.get("SecurityOptions") or ())
    features = Features(
        disk_limits=await _takes_disk_limit(engine, image),
        user_namespaces="name=userns" in security or "name=rootless" in security or bool(info.get("Rootless")),
        metadata_closed=False,
        network_rules=False,
        snapshot_xattrs=False,
    )
    if not features.disk_limits:
        log.warning("no limits on disk use: the engine's storage (%s) cannot set them", info.get("Driver"))
    if not features.user_namespaces:
        log.warning(
            "root in a sandbox is root of the host without its powers: start dockerd with --userns-remap=default"
        )
    log.warning("see that this host's firewall keeps containers from 169.254.0.0/16, if it is a cloud's")
    return Survey(features, network or await _own_network(engine))


async def _takes_disk_limit(engine: Engine, image: str) -> bool:
    body = {"Image": image, "Cmd": ["true"], "HostConfig": {"StorageOpt": {"size": str(1 << 30)}}}
    try:
        made = await engine.ask("POST", "containers/create", json=body)
    except aiodocker.DockerError:
        return False
    await engine.ask("DELETE", f"containers/{made['Id']}?force=true&v=true")
    return True


async def _own_network(engine: Engine) -> str:
    """The name of a network on which no container reaches another; the engine's usual one if it cannot have that."""
    filters = json.dumps({"name": [_NETWORK]})
    found: list[dict[str, Any]] = await engine.ask("GET", "networks", params={"filters": filters})
    if any(row["Name"] == _NETWORK for row in found):
        return _NETWORK
    body = {
        "Name": _NETWORK,
        "Driver": "bridge",
        "CheckDuplicate": True,
        "Options": {"com.docker.network.bridge.enable_icc": "false"},
    }
    try:
        await engine.ask("POST", "networks/create", json=body)
    except aiodocker.DockerError as error:
        if error.status == 409:
            return _NETWORK
        log.warning("sandboxes can reach each other: the engine makes no network of our own (%s)", error)
        return "bridge"
    return _NETWORK
