"""Whom registries know: the host's own logins, as buildah would find them, and that of one build."""

import base64
import json
import os
from pathlib import Path
from typing import Any

from loopyard.runtime.crun.building.buildah import full_name
from loopyard.runtime.images import RegistryLogin


def logins(own: RegistryLogin | None) -> dict[str, Any]:
    """The content of an authfile; empty where nobody is known anywhere. A build's own login goes first."""
    auths = _hosts()
    if own is not None:
        registry = full_name(own.image).partition("/")[0]
        for known in [one for one in auths if one.startswith(f"{registry}/")]:
            del auths[known]  # it would go before that of the whole registry
        auths[registry] = {"auth": base64.b64encode(f"{own.user}:{own.password}".encode()).decode()}
    return {"auths": auths} if auths else {}


def _hosts() -> dict[str, Any]:
    """Give what `buildah login` or `docker login` on this host has left, by the names of registries."""
    for file in _places():
        try:
            content: dict[str, Any] = json.loads(file.read_text())
            return dict(content["auths"])
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return {}


def _places() -> list[Path]:
    """Where buildah looks, in its order."""
    named = os.environ.get("REGISTRY_AUTH_FILE")
    home = Path(os.environ.get("HOME", "/root"))
    run = Path(os.environ.get("XDG_RUNTIME_DIR", f"/run/containers/{os.geteuid()}"))
    usual = [
        run / "containers" / "auth.json",
        Path(f"/run/containers/{os.geteuid()}/auth.json"),
        home / ".config/containers/auth.json",
        home / ".docker/config.json",
    ]
    return [Path(named), *usual] if named else usual
