"""Typed plan of a Dockerfile: what the frontend hands to the engine that builds images.

Planning has two phases, as ONBUILD triggers, ENV, USER, SHELL and WORKDIR of a base image are only known once the base
is there:

1. `loopyard.dockerfile.plan_dockerfile(text, options)` reads, checks and orders everything that can be known from the
   text, and gives a `Plan`. It raises `DockerfileError` for all that is wrong or not offered.
2. `loopyard.dockerfile.expand(plan, stage, base)` gives the concrete steps of one stage, once the `ImageConfig` of its
   base is known: the base image's, the base stage's `ExpandedStage.config`, or `SCRATCH`. It
   raises `DockerfileError` too, as a variable's value can make a step wrong.

All classes are frozen, and hold no file descriptors or paths of the host.
"""

from dataclasses import dataclass, field
from typing import Literal

from loopyard.dockerfile.configuration import DEFAULT_PATH as DEFAULT_PATH
from loopyard.dockerfile.configuration import DEFAULT_SHELL as DEFAULT_SHELL
from loopyard.dockerfile.configuration import SCRATCH as SCRATCH
from loopyard.dockerfile.configuration import HealthCheck as HealthCheck
from loopyard.dockerfile.configuration import ImageConfig as ImageConfig
from loopyard.dockerfile.modes import Mode as Mode

SCRIPT_FOLDER = "/dev/pipes"
"""Folder under which `RunStep.script` is mounted for its command, readable and executable, and gone afterwards."""


@dataclass(frozen=True, slots=True)
class Place:
    """Position of an instruction or of a part of it. `line` and `column` count from 1; `text` is what stands there,
    which has several lines if the instruction has. `trigger_of` names the base whose ONBUILD trigger it is."""

    file: str
    line: int
    column: int
    text: str
    trigger_of: str | None = None


@dataclass(frozen=True, slots=True)
class Warned:
    """Remark on a Dockerfile that builds nevertheless."""

    place: Place
    message: str


@dataclass(frozen=True, slots=True)
class Platform:
    """Operating system, processor and its variant, as `linux/arm64/v8` has them."""

    os: str = "linux"
    architecture: str = "amd64"
    variant: str = ""

    def __str__(self) -> str:
        return "/".join(part for part in (self.os, self.architecture, self.variant) if part)


# Where files come from.


@dataclass(frozen=True, slots=True)
class ContextRef:
    """The build context, after `.dockerignore`."""


@dataclass(frozen=True, slots=True)
class NamedContextRef:
    """A further context that the caller gives by name (`Options.contexts`), such as `loopyard-files`."""

    name: str


@dataclass(frozen=True, slots=True)
class StageRef:
    """The file system of a stage of the same Dockerfile, by its index."""

    index: int


@dataclass(frozen=True, slots=True)
class ImageRef:
    """An image by the name that the Dockerfile has: the provider's base, a blueprint's, a local one, a registry's."""

    name: str


@dataclass(frozen=True, slots=True)
class ScratchRef:
    """An empty file system."""


Base = ImageRef | StageRef | ScratchRef
Origin = ContextRef | NamedContextRef | StageRef | ImageRef | ScratchRef


# Mounts of RUN.


@dataclass(frozen=True, slots=True)
class BindMount:
    """`--mount=type=bind`. With `writable` the command may write, and what it wrote is thrown away after the step."""

    target: str
    origin: Origin = ContextRef()
    source: str = "/"
    writable: bool = False


@dataclass(frozen=True, slots=True)
class CacheMount:
    """`--mount=type=cache`: a folder kept between builds by `id`, made with `mode`, `uid` and `gid`; where it is new,
    it begins with the files at `source` of `origin`. `shared` is used by any builds at once, `locked` by one at a time,
    `private` by one at a time with a further folder for the others."""

    target: str
    id: str
    origin: Origin | None = None
    source: str = "/"
    sharing: Literal["shared", "private", "locked"] = "shared"
    read_only: bool = False
    uid: int = 0
    gid: int = 0
    mode: int = 0o755


@dataclass(frozen=True, slots=True)
class TmpfsMount:
    """`--mount=type=tmpfs`. `size` is in bytes; None is the host's default."""

    target: str
    size: int | None = None


@dataclass(frozen=True, slots=True)
class SecretMount:
    """`--mount=type=secret`: as the file `target`, or as the variable `env`, or as both. A secret that the build was
    not given is an error if `required`, else the mount is left out."""

    id: str
    target: str | None
    env: str | None = None
    required: bool = False
    uid: int = 0
    gid: int = 0
    mode: int = 0o400


Mount = BindMount | CacheMount | TmpfsMount | SecretMount


# Sources of COPY and ADD.


@dataclass(frozen=True, slots=True)
class Path:
    """A path or pattern (`*`, `?`, `[…]` as Go's filepath.Match) below the root of `CopyStep.origin`: no leading slash,
    cleaned, no `..`; `.` is the root. `pivot` is where `--parents` cuts what is kept: the part of the path before `/./`
    is not made at the destination. `as_written` is the text of the Dockerfile, for messages."""

    pattern: str
    as_written: str
    pivot: str = ""


@dataclass(frozen=True, slots=True)
class InlineFile:
    """A heredoc of COPY or ADD: a file with that name and content, mode 644 unless the step says otherwise."""

    name: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Url:
    """A file to be fetched by HTTP(S), mode 600 unless the step says otherwise. `name` is the last part of the URL's
    path, or None if there is none, in which case the destination is a file's name."""

    url: str
    name: str | None
    checksum: str | None = None


@dataclass(frozen=True, slots=True)
class GitRepository:
    """A commit to be fetched: `ref` (branch, tag, commit; empty is the default branch) of `remote`, and of it the
    folder `subfolder`. `checksum` is the commit that it must be (a prefix, if short)."""

    remote: str
    ref: str = ""
    subfolder: str = ""
    keep_git_folder: bool = False
    checksum: str | None = None
    submodules: bool = True


Source = Path | InlineFile | Url | GitRepository


# Steps.


@dataclass(frozen=True, slots=True)
class RunStep:
    """RUN: a command in a sandbox of the files so far.

    `argv` is complete: of the shell form it has the shell in force and the command with its heredocs. `script` is
    content that is mounted at `argv[0]` (below `SCRIPT_FOLDER`), mode 755, for `RUN <<EOF` with a `#!` line.
    Environment of the command: `env` (the image's, with PATH in any case), over it `args` (build arguments declared so
    far, but for those that a later ENV sets) and `proxies` (predefined proxy arguments that the caller gave; they are
    no part of `identity`). `user` is as USER has it, empty for root; `workdir` is absolute.
    """

    place: Place
    argv: tuple[str, ...]
    shown: str
    env: tuple[tuple[str, str], ...]
    args: tuple[tuple[str, str], ...] = ()
    proxies: tuple[tuple[str, str], ...] = ()
    user: str = ""
    workdir: str = "/"
    mounts: tuple[Mount, ...] = ()
    network: Literal["default", "none"] = "default"
    script: bytes | None = None


@dataclass(frozen=True, slots=True)
class CopyStep:
    """COPY or ADD.

    `destination` is absolute and cleaned; `into_folder` tells whether it is a folder for certain (it ends in a slash,
    is `.` or the like, or there are several sources). `owner` is `user[:group]` by name or number, None for 0:0; names
    are looked up in the files of the stage so far. `unpack` is whether local archives (ADD's default) or fetched ones
    (`--unpack`) are unpacked; None is the command's default. `exclude` are patterns as in `.dockerignore`, relative to
    the origin's root for `parents`, else to each source.
    """

    place: Place
    command: Literal["COPY", "ADD"]
    origin: Origin
    sources: tuple[Source, ...]
    destination: str
    into_folder: bool
    owner: str | None = None
    mode: Mode | None = None
    link: bool = False
    parents: bool = False
    exclude: tuple[str, ...] = ()
    unpack: bool | None = None
    shown: str = ""


@dataclass(frozen=True, slots=True)
class WorkdirStep:
    """WORKDIR: makes the absolute folder `path` where it is not there, with its parents, mode 755, owned by `user` (as
    USER has it, empty for root)."""

    place: Place
    path: str
    config: ImageConfig
    shown: str = ""
    user: str = ""


@dataclass(frozen=True, slots=True)
class ConfigStep:
    """A change of the image's configuration alone: ENV, LABEL, USER, VOLUME, EXPOSE, ENTRYPOINT, CMD, SHELL,
    STOPSIGNAL, HEALTHCHECK, ONBUILD, MAINTAINER, and ARG, which changes nothing. `config` is the whole one after it.
    VOLUME makes no folder and hides nothing that later steps write, as in BuildKit."""

    place: Place
    command: str
    config: ImageConfig
    shown: str = ""


Step = RunStep | CopyStep | WorkdirStep | ConfigStep


# Stages.


@dataclass(frozen=True, slots=True)
class Instruction:
    """An instruction that was read and checked, with its variables not yet replaced. Only `expand` reads it.

    `rest` is what follows the name and the flags, `shown` the whole on one line. `name` is in capitals. `args` are of
    ENV and LABEL names and values in turn; `places` are where they stand.
    """

    place: Place
    name: str
    flags: tuple["Flag", ...]
    args: tuple[str, ...]
    json: bool
    heredocs: tuple["Heredoc", ...]
    rest: str
    shown: str
    places: tuple[Place, ...] = ()


@dataclass(frozen=True, slots=True)
class Flag:
    """A flag of an instruction, such as `--chown=0:0`, without its dashes. `value` is None where there is no `=`."""

    name: str
    value: str | None
    place: Place


@dataclass(frozen=True, slots=True)
class Heredoc:
    """A heredoc of an instruction, with its content as written."""

    name: str
    content: str
    chomp: bool
    expands: bool
    descriptor: int


@dataclass(frozen=True, slots=True)
class Stage:
    """FROM and what follows it. `needs` are the indexes of stages whose files it uses, in ascending order; ONBUILD
    triggers of its base may name more of the earlier ones, see `ExpandedStage.needs`. `images` are those whose files
    its steps use, without the base."""

    index: int
    name: str | None
    base: Base
    platform: Platform
    place: Place
    instructions: tuple[Instruction, ...]
    needs: tuple[int, ...] = ()
    images: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """Stages in the Dockerfile's order, and the index of the one that is wanted.

    `needed` are the indexes of those that are built for it, in an order in which each comes after what it needs. Two of
    them of which neither needs the other can be built at the same time.
    """

    file: str
    stages: tuple[Stage, ...]
    target: int
    needed: tuple[int, ...]
    platform: Platform
    escape: str = "\\"
    warnings: tuple[Warned, ...] = ()
    global_args: tuple[tuple[str, str], ...] = ()
    build_args: tuple[tuple[str, str], ...] = ()
    contexts: frozenset[str] = frozenset()
    named: tuple[tuple[str, int], ...] = ()

    def stage(self, index: int) -> Stage:
        """The stage with that index."""
        return self.stages[index]

    @property
    def images(self) -> tuple[str, ...]:
        """Names of the images that the needed stages begin with or take files of, each once. ONBUILD triggers may name
        more, see `ExpandedStage.images`."""
        names: list[str] = []
        for index in self.needed:
            stage = self.stages[index]
            names += [stage.base.name] if isinstance(stage.base, ImageRef) else []
            names += stage.images
        return tuple(dict.fromkeys(names))


@dataclass(frozen=True, slots=True)
class ExpandedStage:
    """Concrete steps of a stage, with `config` as the configuration of the image that results. `needs` are stages that
    must be complete before the steps run, without the base; `images` are those whose files steps use; `uses_context`
    tells whether files of the build context are used."""

    stage: Stage
    steps: tuple[Step, ...]
    config: ImageConfig
    needs: tuple[int, ...] = ()
    images: tuple[str, ...] = ()
    uses_context: bool = False
    warnings: tuple[Warned, ...] = field(default=())
