"""Identity of a step: what decides its result, as a digest that is the same on every host and after every restart."""

import hashlib
from dataclasses import asdict

import orjson

from loopyard.dockerfile.plan import ConfigStep, CopyStep, InlineFile, RunStep, SecretMount, Step, WorkdirStep

_VERSION = "1"
"""Changes when what steps do changes, so that no result of before is taken for one of now."""


def identity(step: Step) -> str:
    """Digest of all that decides what a step results in, but for the files before it and the content of those that it
    takes. Where it stands, proxies, and the values of secrets are no part of it."""
    return _digest(type(step).__name__, _decisive(step))


def _decisive(step: Step) -> object:
    if isinstance(step, RunStep):
        mounts = [
            (type(mount).__name__, mount.target, mount.id, mount.env, mount.uid, mount.gid, mount.mode)
            if isinstance(mount, SecretMount)
            else (type(mount).__name__, asdict(mount) | {"origin": _origin(getattr(mount, "origin", None))})
            for mount in step.mounts
        ]
        script = None if step.script is None else hashlib.sha256(step.script).hexdigest()
        return (
            step.argv if script is None else (),
            step.env,
            step.args,
            step.user,
            step.workdir,
            mounts,
            step.network,
            script,
        )
    if isinstance(step, CopyStep):
        sources = [
            (source.name, hashlib.sha256(source.content).hexdigest())
            if isinstance(source, InlineFile)
            else (type(source).__name__, asdict(source))
            for source in step.sources
        ]
        mode = None if step.mode is None else asdict(step.mode)
        return (
            step.command,
            _origin(step.origin),
            sources,
            step.destination,
            step.into_folder,
            step.owner,
            mode,
            step.parents,
            step.exclude,
            step.unpack,
        )
    if isinstance(step, WorkdirStep):
        return (step.path, step.user)
    return asdict(step.config)


def _origin(origin: object) -> object:
    """A stage's index is no part of it: the digest of its files is."""
    return (type(origin).__name__, getattr(origin, "name", None))


def _digest(kind: str, decisive: object) -> str:
    packed = orjson.dumps([_VERSION, kind, decisive], option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(packed).hexdigest()


def changes_files(step: Step) -> bool:
    """Tells whether a step may change files, so that its result has a layer."""
    return not isinstance(step, ConfigStep)
