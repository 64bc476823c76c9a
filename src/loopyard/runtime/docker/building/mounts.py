"""Flags of RUN for BuildKit: mounts by names of this build's own, and secrets as variables of the command."""

import hashlib
import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from loopyard.dockerfile import DockerfileError
from loopyard.dockerfile.plan import (
    BindMount,
    CacheMount,
    ContextRef,
    Mount,
    Origin,
    Place,
    RunStep,
    SecretMount,
    TmpfsMount,
)

_ENVIRONMENT = "/dev/loopyard-environment"
"""Where a command finds its secrets: below a file system of its own, so that no empty file stays in the image."""


@dataclass(slots=True)
class Secrets:
    """Secrets of a build. `environment` are seen by every command as variables, `files` by mounts. `given` is what the
    engine is told, by ids of our own."""

    environment: Mapping[str, str]
    files: Mapping[str, str]
    given: dict[str, str] = field(default_factory=dict[str, str])

    def id_of(self, content: str) -> str:
        """Id that the engine knows this content by."""
        for known, held in self.given.items():
            if held == content:
                return known
        made = f"loopyard-{len(self.given)}"
        self.given[made] = content
        return made


def mount_flags(
    step: RunStep, secrets: Secrets, account: str, name_of: Callable[[Origin, Place], str]
) -> tuple[list[str], list[str]]:
    """The flags of a step, and its command line.

    Raises:
        DockerfileError: A mount cannot be told to the engine, or lacks its secret.
    """
    flags: list[str] = []
    variables = dict(secrets.environment)
    for mount in step.mounts:
        if isinstance(mount, SecretMount):
            content = secrets.files.get(mount.id)
            if content is None and mount.required:
                raise DockerfileError(step.place, f"The build was given no secret {mount.id[:80]!r}.")
            if content is None:
                continue
            if mount.env is not None:
                variables[mount.env] = content
            if mount.target is None:
                continue
        words = [*_words(mount, secrets, account), *_origin(mount, step.place, name_of)]
        bad = next((word for word in words if re.search(r"[\s,'\"$\\`]", word)), None)
        if bad is not None:
            raise DockerfileError(step.place, f"{bad[:80]!r} is nothing that the engine takes in a mount.")
        flags.append(f"--mount={','.join(words)}")
    if not variables:
        return flags, list(step.argv)
    exports = "".join(f"export {name}={shlex.quote(value)}\n" for name, value in sorted(variables.items()))
    flags.append(f"--mount=type=secret,id={secrets.id_of(exports)},target={_ENVIRONMENT},mode=0444")
    # The engine's cache does not look at secrets: the account in the command keeps it from other accounts.
    return flags, ["/bin/sh", "-c", f'. {_ENVIRONMENT} && exec "$@"', f"loopyard-{account}", *step.argv]


def _words(mount: Mount, secrets: Secrets, account: str) -> Sequence[str]:
    if isinstance(mount, BindMount):
        return ["type=bind", f"target={mount.target}", f"source={mount.source}", *(["rw"] if mount.writable else [])]
    if isinstance(mount, TmpfsMount):
        return ["type=tmpfs", f"target={mount.target}", *([f"size={mount.size}"] if mount.size is not None else [])]
    owner = [f"uid={mount.uid}", f"gid={mount.gid}", f"mode={mount.mode:04o}"]
    if isinstance(mount, CacheMount):
        key = hashlib.sha256(f"{account} {mount.id}".encode()).hexdigest()[:32]
        source = [f"source={mount.source}"] if mount.origin is not None else []
        more = ["ro"] if mount.read_only else []
        own = ["type=cache", f"id=loopyard-{key}", f"target={mount.target}", f"sharing={mount.sharing}"]
        return [*own, *source, *owner, *more]
    return ["type=secret", f"id={secrets.id_of(secrets.files[mount.id])}", f"target={mount.target}", *owner]


def _origin(mount: Mount, place: Place, name_of: Callable[[Origin, Place], str]) -> Sequence[str]:
    if not isinstance(mount, (BindMount, CacheMount)) or mount.origin is None or isinstance(mount.origin, ContextRef):
        return ()
    return (f"from={name_of(mount.origin, place)}",)
