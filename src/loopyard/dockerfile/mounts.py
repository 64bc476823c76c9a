"""Mounts of RUN, from the words of `--mount`."""

import csv
import posixpath
from collections.abc import Callable
from typing import TypeVar

from loopyard.dockerfile import values
from loopyard.dockerfile.errors import DockerfileError
from loopyard.dockerfile.flags import required
from loopyard.dockerfile.plan import (
    BindMount,
    CacheMount,
    ContextRef,
    Flag,
    Mount,
    Origin,
    Place,
    SecretMount,
    TmpfsMount,
)
from loopyard.dockerfile.state import State

Value = TypeVar("Value")

_ALIASES = {"src": "source", "dst": "target", "destination": "target", "ro": "readonly", "rw": "readwrite"}
_SWITCHES = ("readonly", "readwrite", "required")
_KNOWN = {
    "bind": ("target", "source", "from", "readonly", "readwrite"),
    "cache": ("target", "source", "from", "id", "sharing", "readonly", "readwrite", "uid", "gid", "mode"),
    "tmpfs": ("target", "size"),
    "secret": ("target", "id", "env", "required", "uid", "gid", "mode"),
}
_SHARING = ("shared", "private", "locked")
_SECRETS = "/run/secrets"
_NEVER = ("/", "/proc", "/sys", "/dev")


def mount(flag: Flag, state: State, workdir: str) -> Mount:
    """The mount that a flag describes.

    Raises:
        DockerfileError: It is wrong, or of a kind that is not offered.
        Unknown: It has a variable whose value is not known yet.
    """
    return _Options(flag, state, workdir).mount()


class _Options:
    def __init__(self, flag: Flag, state: State, workdir: str) -> None:
        self._place: Place = flag.place
        self._state = state
        self._workdir = workdir
        self._given: dict[str, str] = {}
        fields = self._fields(required(flag))
        for field in fields:
            name, equals, value = field.partition("=")
            name = name.strip().lower()
            name = _ALIASES.get(name, name)
            if not equals:
                if name not in _SWITCHES:
                    raise self._wrong(f"{field[:60]!r} has no value; the form is NAME=VALUE, with commas between")
                value = "true"
            if name == "from" and "$" in value:
                self._state.names.origin(value, self._place)
            self._given[name] = value if name == "from" else state.expand(value, self._place)
        if not fields:
            raise self._wrong("there is nothing in it")

    def _fields(self, text: str) -> list[str]:
        rows: list[list[str]] = []
        try:
            rows = list(csv.reader([text], strict=True))
        except csv.Error as error:
            raise self._wrong(f"this is no list of NAME=VALUE with commas between: {error}") from None
        return rows[0] if len(rows) == 1 else []

    def _wrong(self, reason: str) -> DockerfileError:
        return DockerfileError(self._place, f"--mount: {reason}.")

    def mount(self) -> Mount:
        kind = self._given.pop("type", "bind")
        if kind == "ssh":
            raise DockerfileError(
                self._place,
                "--mount=type=ssh is not offered: builds have no SSH agent. Use --mount=type=secret for a key.",
            )
        known = _KNOWN.get(kind)
        if known is None:
            raise self._wrong(f"there is no type {kind[:40]!r}; types are {', '.join(_KNOWN)}")
        for name in self._given:
            if name not in known:
                raise self._wrong(f"type={kind} does not take {name[:40]!r}; it takes {', '.join(known)}")
        if "readonly" in self._given and "readwrite" in self._given:
            raise self._wrong("it is either readonly or readwrite")
        makers: dict[str, Callable[[], Mount]] = {
            "bind": self._bind,
            "cache": self._cache,
            "tmpfs": self._tmpfs,
            "secret": self._secret,
        }
        return makers[kind]()

    def _parsed(self, name: str, parse: Callable[[str], Value], default: Value) -> Value:
        if name not in self._given:
            return default
        try:
            return parse(self._given[name])
        except ValueError as error:
            raise self._wrong(f"{name}: {error}") from None

    def _target(self) -> str:
        target = self._given.get("target", "")
        if not target:
            raise self._wrong("it needs a target")
        target = self._absolute(target)
        if target in _NEVER:
            raise self._wrong(f"nothing can be mounted at {target}")
        return target

    def _absolute(self, path: str) -> str:
        if not path.startswith("/") and not self._state.complete and not self._workdir:
            return "/unknown"
        return "/" + posixpath.normpath(posixpath.join("/", self._workdir, path)).lstrip("/")

    def _origin(self) -> Origin | None:
        text = self._given.get("from")
        return None if text is None else self._state.origin(text, self._place)

    def _source(self) -> str:
        return "/" + posixpath.normpath("/" + self._given.get("source", "/")).lstrip("/")

    def _bind(self) -> Mount:
        origin = self._origin() or ContextRef()
        self._state.uses_context |= isinstance(origin, ContextRef)
        writable = self._parsed("readwrite", values.truth, default=False) or not self._parsed(
            "readonly", values.truth, default=True
        )
        return BindMount(self._target(), origin, self._source(), writable)

    def _cache(self) -> Mount:
        target = self._target()
        sharing = self._given.get("sharing", "shared")
        if sharing not in _SHARING:
            raise self._wrong(f"sharing is one of {', '.join(_SHARING)}")
        identity = self._given.get("id", "") or target
        return CacheMount(
            target,
            identity,
            self._origin(),
            self._source(),
            sharing,
            self._parsed("readonly", values.truth, default=False)
            or not self._parsed("readwrite", values.truth, default=True),
            self._parsed("uid", values.number, 0),
            self._parsed("gid", values.number, 0),
            self._parsed("mode", values.octal, 0o755),
        )

    def _tmpfs(self) -> Mount:
        return TmpfsMount(self._target(), self._parsed("size", values.size, None))

    def _secret(self) -> Mount:
        target, env = self._given.get("target"), self._given.get("env")
        identity = self._given.get("id") or (posixpath.basename(target) if target else env) or ""
        if not identity:
            raise self._wrong("type=secret needs an id")
        if env is not None and (not env or "=" in env):
            raise self._wrong("env is the name of a variable")
        if target is None and env is None:
            target = f"{_SECRETS}/{posixpath.basename(identity)}"
        return SecretMount(
            identity,
            None if target is None else self._absolute(target),
            env,
            self._parsed("required", values.truth, default=False),
            self._parsed("uid", values.number, 0),
            self._parsed("gid", values.number, 0),
            self._parsed("mode", values.octal, 0o400),
        )
