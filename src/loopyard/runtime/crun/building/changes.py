"""Options of `buildah config` that say how an image is used: from instructions of a Dockerfile, and from the
configuration in an image's archive."""

import json
import shlex
from collections.abc import Mapping
from typing import Any, cast

from loopyard.dockerfile.oci import from_oci

_PLAIN = {"ENV": "--env", "WORKDIR": "--workingdir", "USER": "--user"}
_RUN = {"ENTRYPOINT": "--entrypoint", "CMD": "--cmd"}


def options(changes: list[str]) -> list[str]:
    """Instructions such as `CMD ["nginx"]` as options of `buildah config`.

    Raises:
        ValueError: One is none of these.
    """
    found: list[str] = []
    for change in changes:
        word, _, value = change.strip().partition(" ")
        word, value = word.upper(), value.strip()
        if word in _PLAIN and value:
            found += [_PLAIN[word], value]
        elif word in _RUN and value:
            argv = _argv(value)
            found += [_RUN[word], shlex.join(argv) if word == "CMD" else json.dumps(argv)]
        else:
            raise ValueError(f"{change!r} is not one of ENTRYPOINT, CMD, ENV, WORKDIR and USER with a value")
    return found


def options_of(config: Mapping[str, Any]) -> list[str]:
    """The `config` of an OCI image as options of `buildah config`."""
    known = from_oci(config)
    found = [f"--env={name}={value}" for name, value in known.env]
    found += [f"--label={name}={value}" for name, value in known.labels]
    found += [f"--volume={volume}" for volume in known.volumes]
    found += [f"--port={port}" for port in known.exposed]
    found += [f"--onbuild={one}" for one in known.on_build]
    plain = {"user": known.user, "workingdir": known.workdir, "stop-signal": known.stop_signal}
    found += [f"--{name}={value}" for name, value in plain.items() if value]
    if known.shell:
        found.append(f"--shell={shlex.join(known.shell)}")
    if known.entrypoint is not None:
        found.append(f"--entrypoint={json.dumps(known.entrypoint)}")
    if known.cmd is not None:
        found.append(f"--cmd={shlex.join(known.cmd)}")
    return found


def _argv(value: str) -> list[str]:
    if not value.startswith("["):
        return ["/bin/sh", "-c", value]
    try:
        return [str(word) for word in cast("list[object]", json.loads(value))]
    except json.JSONDecodeError:
        raise ValueError(f"{value!r} is no list in JSON") from None
