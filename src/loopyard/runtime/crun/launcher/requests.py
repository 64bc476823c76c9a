"""Schema of what the server asks the launcher, and of what it answers: both ends use these classes.

A request goes as `{"number": …, "act": …, "arguments": {…}}`, its answer as `{"number": …, …}` with the fields of the
answer, or with `error`. Paths are the host's. Light: the launcher forks with it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, Protocol, TypeVar

VERSION = 2
"""Version of this schema. A server and a launcher of different ones do not work together: a server that was not
restarted after an upgrade would start such a launcher."""


OTHER_VERSION = "another version of Loopyard was installed since the server was started; restart the server"


@dataclass(frozen=True, slots=True)
class Done:
    """Answer of what has nothing else to tell."""


@dataclass(frozen=True, slots=True)
class FirstProcess:
    """The first process of a sandbox: its id, and the clock tick at which it started."""

    pid: int
    start_ticks: int


@dataclass(frozen=True, slots=True)
class Begun:
    """A command is begun; its supervisor is `pid`. It was begun by an earlier request where that is None."""

    pid: int | None


@dataclass(frozen=True, slots=True)
class Size:
    """Bytes of disks; None where that cannot be told at once."""

    bytes: int | None


@dataclass(frozen=True, slots=True)
class Spaces:
    """Bytes of folders, as if no files shared any and as they do, by the folders' places in the request; `complete` is
    false for one that there was no time to look at to its end."""

    apparent: list[int]
    on_disk: list[int]
    complete: list[bool]


@dataclass(frozen=True, slots=True)
class Names:
    """Names of disks, in order."""

    names: list[str]


@dataclass(frozen=True, slots=True)
class Socket:
    """A socket in a sandbox's network comes with the answer, if the port was `usable`."""

    usable: bool


Content = Done | FirstProcess | Begun | Size | Spaces | Names | Socket


class Answer(Protocol):
    """Tells the server what has become of a request, with some descriptors."""

    def __call__(self, content: Content, descriptors: Sequence[int] = ()) -> None: ...


A = TypeVar("A", Done, FirstProcess, Begun, Size, Spaces, Names, Socket)


@dataclass(frozen=True, slots=True)
class Request(Generic[A]):
    """Request for one act, of the name `act`, that is answered by an `answer`."""

    act: ClassVar[str]
    answer: ClassVar[type[Any]]


@dataclass(frozen=True, slots=True)
class PrepareSlot(Request[Done]):
    """Make slot `number`: `link` is the name of the host's end of its network, the addresses are its two ends."""

    act = "prepare"
    answer = Done

    number: int
    uid_base: int
    link: str
    host_address: str
    address: str
    mtu: int


@dataclass(frozen=True, slots=True)
class Create(Request[FirstProcess]):
    """Start the sandbox whose folder is `bundle`, on the root folder `image`, with its own files on `disk`.

    Args:
        crun: The command line up to crun's own command.
        id: The sandbox's id.
        bundle: Holds `config.json` and `place.json` (what to put into the root file system first).
        root: Where its root file system is mounted while it starts. The sandbox's own root must be able to get there.
        image: The folder below everything; only read.
        disk: Where the sandbox's changes go. One that is there is used again.
        disk_bytes: The most these may be; None for no limit.
        snapshot: The changes to begin with, if the disk is made anew.
        network: The network namespace that it is in, if that is not the slot's.
        step: The file that tells of the ground of a step of a build, which has its layers and its changes elsewhere.
        slot: The slot, which was made ready.
    """

    act = "create"
    answer = FirstProcess

    crun: list[str]
    id: str
    bundle: str
    root: str
    image: str
    disk: str
    disk_bytes: int | None
    snapshot: str | None
    network: str | None
    step: str | None
    slot: int


@dataclass(frozen=True, slots=True)
class Reconfigure(Request[Done]):
    """Have a sandbox in which nothing has run as if it had been made so. When this fails, it is good for nothing but
    to be destroyed.

    Args:
        pid: The sandbox's first process, which started at the clock tick `ticks`, and is the only one.
        bundle: Its folder, with the new `place.json`.
        image: The folder below everything; only read.
        disk: Where its changes go: an empty one, whose name the new one gets.
        disk_bytes: The most these may be; None for no limit.
        snapshot: The changes to begin with; None for none.
        step: The file that tells of the ground of a step of a build; its disk then stays as it is, empty.
        uid_base: The host's uid of the sandbox's root.
        cgroup: Its cgroup.
        resources: Its limits, as OCI's configuration has them.
        shared_memory_bytes: The size of its `/dev/shm`.
        hostname: Its name.
    """

    act = "reconfigure"
    answer = Done

    pid: int
    ticks: int
    bundle: str
    image: str
    disk: str
    disk_bytes: int | None
    snapshot: str | None
    step: str | None
    uid_base: int
    cgroup: str
    resources: Mapping[str, Mapping[str, int]]
    shared_memory_bytes: int
    hostname: str


@dataclass(frozen=True, slots=True)
class Destroy(Request[Done]):
    """Stop all that runs in a sandbox, and delete its disk and its folder unless they are to be kept. Can be
    repeated."""

    act = "destroy"
    answer = Done

    crun: list[str]
    id: str
    bundle: str
    disk: str
    baseline: str
    cgroup: str
    keep_disk: bool


@dataclass(frozen=True, slots=True)
class JoinTarget:
    """A sandbox to start a program in.

    Args:
        pid: The sandbox's first process.
        ticks: The clock tick at which that started.
        state: The folder in which crun keeps the sandbox's state.
        cgroup: The path of its cgroup, the same in each hierarchy.
        open_files: The limit on open files of what is started.
        oom_score: Its `oom_score_adj`.
    """

    pid: int
    ticks: int
    state: str
    cgroup: str
    open_files: int
    oom_score: int


@dataclass(frozen=True, slots=True)
class Execute(Request[Begun]):
    """Run a command in the sandbox `id`, and stay until it has ended. Does nothing if it was begun before. Comes with
    a descriptor of the command's `process.json`.

    Args:
        crun: The command line up to crun's own command.
        id: The sandbox's id.
        sandbox: How to join it.
        folder: The command's folder; gets `stdout` and `stderr` if it writes any, and in the end `result.json`.
        live: Its folder while it runs; gets `supervisor.json`, `pid` and crun's log, and `stdout.lost` and
            `stderr.lost` once the disk takes no more of a stream.
        uid: The host's uid of the user that the command runs as.
        stdin: Whether the named pipe `stdin` in the live folder is its standard input.
        timeout_seconds: After how long its process group is killed; None for never.
        most_bytes: How much of each stream is kept.
    """

    act = "execute"
    answer = Begun

    crun: list[str]
    id: str
    sandbox: JoinTarget
    folder: str
    live: str
    uid: int
    stdin: bool
    timeout_seconds: float | None
    most_bytes: int


@dataclass(frozen=True, slots=True)
class Attach(Request[Done]):
    """Run a command on the given streams, and stay until it or the server ends. Comes with a descriptor of its
    `process.json`; then of standard input, output and error, unless it has a terminal.

    Args:
        crun: The command line up to crun's own command.
        id: The sandbox's id.
        folder: Gets `pid`.
        console: A listening socket that takes the terminal's descriptor; None for a command without a terminal.
    """

    act = "attach"
    answer = Done

    crun: list[str]
    id: str
    folder: str
    console: str | None


@dataclass(frozen=True, slots=True)
class Connect(Request[Socket]):
    """Connect to a port of a sandbox's loopback address."""

    act = "connect"
    answer = Socket

    pid: int
    ticks: int
    port: int


@dataclass(frozen=True, slots=True)
class Listen(Request[Socket]):
    """Listen on a port of a sandbox's loopback address."""

    act = "listen"
    answer = Socket

    pid: int
    ticks: int
    port: int


@dataclass(frozen=True, slots=True)
class Snapshot(Request[Size]):
    """Keep a disk as it is now under another name. `pause` is the running sandbox that writes to it, if one does."""

    act = "snapshot"
    answer = Size

    crun: list[str]
    pause: str | None
    disk: str
    target: str


@dataclass(frozen=True, slots=True)
class DeleteDisk(Request[Done]):
    """Delete a snapshot, or a shared folder."""

    act = "delete"
    answer = Done

    disk: str


@dataclass(frozen=True, slots=True)
class PutAside(Request[Done]):
    """Give a folder another name, if it is there."""

    act = "put_aside"
    answer = Done

    folder: str
    aside: str


@dataclass(frozen=True, slots=True)
class ListDisks(Request[Names]):
    """The names of the disks in a folder, in order: the next so many after one. An answer has limits."""

    act = "list"
    answer = Names

    folder: str
    after: str


@dataclass(frozen=True, slots=True)
class Measure(Request[Size]):
    """How many bytes the disks in a folder hold together; what two of them share may count twice."""

    act = "measure"
    answer = Size

    folder: str


@dataclass(frozen=True, slots=True)
class MeasureShared(Request[Spaces]):
    """How many bytes the disks in some folders share, looked for at most so many seconds. Extents that disks of several
    folders have count for the first."""

    act = "measure_shared"
    answer = Spaces

    folders: Sequence[str]
    seconds: float


@dataclass(frozen=True, slots=True)
class StopAll(Request[Done]):
    """Kill everything in the sandbox but its first process `init` and the trees of processes below `spare`. Can be
    repeated, also after a kill in the middle: the limit on processes is what the sandbox's configuration says in any
    case."""

    act = "stop_all"
    answer = Done

    bundle: str
    cgroup: str
    init: int
    spare: list[int]


@dataclass(frozen=True, slots=True)
class Restore(Request[Done]):
    """Mount each path as it is in the `baseline` over the sandbox's own.

    Args:
        pid: The sandbox's first process, which started at the clock tick `ticks`.
        bundle: Its folder.
        image: The folder below everything.
        baseline: The disk as it was kept.
        disk: The disk as it is.
        report: The file that says what is put back; one that is there is of an earlier attempt, and holds.
        uid_base: The host's uid of the sandbox's root.
        paths: What is to be put back.
        keep: A folder that stays as it is, also below one of the paths; None for none.
    """

    act = "restore"
    answer = Done

    pid: int
    ticks: int
    bundle: str
    image: str
    baseline: str
    disk: str
    report: str
    uid_base: int
    paths: Sequence[str]
    keep: str | None


@dataclass(frozen=True, slots=True)
class Compare(Request[Done]):
    """Make a patch from a folder in the `baseline` to the same folder on the disk.

    Args:
        image: The folder below everything.
        baseline: The disk as it was kept.
        disk: The disk as it is.
        path: The folder, as the sandbox sees it.
        report: The file that gets the patch; one that is there is of an earlier attempt, and holds. Not written if
            there is no baseline.
    """

    act = "compare"
    answer = Done

    image: str
    baseline: str
    disk: str
    path: str
    report: str


@dataclass(frozen=True, slots=True)
class Share(Request[Done]):
    """Mount the folder `source` at `target` in the sandbox, with copies of `files` in it (name to path on the host)."""

    act = "share"
    answer = Done

    pid: int
    ticks: int
    uid_base: int
    source: str
    files: Mapping[str, str]
    target: str
    writable: bool


REQUESTS: dict[str, type[Request[Any]]] = {
    kind.act: kind
    for kind in (
        PrepareSlot,
        Create,
        Reconfigure,
        Destroy,
        Execute,
        Attach,
        Connect,
        Listen,
        Snapshot,
        DeleteDisk,
        PutAside,
        ListDisks,
        Measure,
        MeasureShared,
        StopAll,
        Restore,
        Compare,
        Share,
    )
}


def read_request(act: str, arguments: dict[str, Any]) -> Request[Any]:
    """A request as it came.

    Raises:
        KeyError: There is no such act.
        TypeError: It has other arguments.
    """
    kind = REQUESTS[act]
    if kind is Execute:
        arguments = {**arguments, "sandbox": JoinTarget(**arguments["sandbox"])}
    return kind(**arguments)


def fields_of(message: Any) -> dict[str, Any]:
    """The fields of a message, by name. `dataclasses.asdict` would copy what is in them."""
    return {name: getattr(message, name) for name in message.__slots__}
