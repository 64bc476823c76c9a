"""Instructions of a Dockerfile that say how an image is used, for images that are imported without any."""

import json
import shlex
from typing import cast

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


def _argv(value: str) -> list[str]:
    if not value.startswith("["):
        return ["/bin/sh", "-c", value]
    try:
        return [str(word) for word in cast("list[object]", json.loads(value))]
    except json.JSONDecodeError:
        raise ValueError(f"{value!r} is no list in JSON") from None
