"""Protocol of a provider of sandboxes.

Every provider (crun, Docker, a fleet) passes the one conformance suite, `tests/integration/runtime/conformance/`,
unchanged. Tests with the marker `semantic` hold for any provider; the rest needs a kernel.
Ids are chosen by the caller and written to the store before a call is made, so that each call can be repeated after a
crash: `create` and `start_command` with an id that already exists do nothing, `destroy` of what is gone does nothing.
"""

import socket
from collections.abc import AsyncIterable, AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal, Protocol

Stream = Literal["stdout", "stderr"]

MOST_OUTPUT_BYTES = 1 << 30
"""How much a provider keeps of each stream of a command: the first 1 GiB. The command may write on; that is dropped."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Hard limits of a sandbox, enforced by the host's kernel."""

    cpu_cores: float = 1.0
    memory_bytes: int = 2 * 1024**3
    disk_bytes: int = 4 * 1024**3
    pids: int = 4096


@dataclass(frozen=True, slots=True)
class User:
    """The account inside the sandbox that commands run as. `uid` 0 is the sandbox's root, nobody on the host. `gid` is
    its only group; None leaves groups to the account files of the image, or to what the image itself says."""

    name: str = "user"
    uid: int = 1000
    gid: int | None = None

    @property
    def home(self) -> str:
        return "/root" if self.uid == 0 else f"/home/{self.name}"

    def is_like(self, other: "User") -> bool:
        """True if both have the same name and number."""
        return (self.name, self.uid) == (other.name, other.uid)


ROOT = User("root", 0)
"""The sandbox's root."""


@dataclass(frozen=True, slots=True)
class PortRange:
    """Ports from `first` to `last`, both among them. `protocol` None stands for TCP and UDP."""

    first: int
    last: int
    protocol: Literal["tcp", "udp"] | None = None


@dataclass(frozen=True, slots=True)
class AllowedNetwork:
    """An IPv4 network in CIDR notation that may be reached: at these ports, or if none are named, by every protocol."""

    cidr: str
    ports: tuple[PortRange, ...] = ()


@dataclass(frozen=True, slots=True)
class NetworkPolicy:
    """Egress rules of a sandbox. The link-local networks (metadata), the host itself and other hosts' private networks
    are closed to it whatever is said here, except for private networks that `networks` names.

    `allow_all` opens the rest of the world, and `hostnames` and `networks` then mean nothing. `hostnames` are lower
    case; `*.` at the start stands for one or more labels. `mirrors` adds the hosts that the operator names as mirrors,
    `gateway` the ports of this host that the operator opens to sandboxes, and the host's gateway where the provider
    has one (see `HasHostGateway`). Sandboxes of one `group` reach each other.
    """

    allow_all: bool = False
    hostnames: tuple[str, ...] = ()
    networks: tuple[AllowedNetwork, ...] = ()
    mirrors: bool = False
    gateway: bool = False
    group: str | None = None


@dataclass(frozen=True, slots=True)
class ServiceSpec:
    """Something that runs beside a sandbox: what its image says is to be run, on a root file system of its own, in the
    sandbox's network."""

    name: str
    image: str
    environment: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class SandboxSpec:
    """A sandbox to be made. `image` is None for the base image; `environment` is seen by every command in it.

    `snapshot` names a snapshot to start from; its image is the snapshot's own, and `image` is ignored.
    `network_policy` None leaves the world open, as `allow_all` does, and other sandboxes closed.
    `services` run before `create` returns, each with `limits` of its own, and end with the sandbox. Not every provider
    has them.
    """

    id: str
    image: str | None = None
    snapshot: str | None = None
    limits: Limits = field(default_factory=Limits)
    user: User = field(default_factory=User)
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    hostname: str = "devbox"
    network_policy: NetworkPolicy | None = None
    services: tuple[ServiceSpec, ...] = ()


class SandboxState(StrEnum):
    RUNNING = "running"
    EXITED = "exited"


@dataclass(frozen=True, slots=True)
class SandboxStatus:
    """Status of a sandbox now. `out_of_memory` is true once the kernel has killed anything in it for its memory limit,
    `out_of_processes` once it has refused it a further process."""

    state: SandboxState
    out_of_memory: bool = False
    out_of_processes: bool = False


@dataclass(frozen=True, slots=True)
class SandboxUsage:
    """Usage of the host by a sandbox now, and of its CPU since it came up."""

    memory_bytes: int
    cpu_seconds: float
    processes: int


@dataclass(frozen=True, slots=True)
class CommandSpec:
    """A program to run in a sandbox.

    `cwd` None is the user's home, and `user` None the sandbox's own. `environment` comes on top of the sandbox's.
    `attach_stdin` keeps standard input open for `write_stdin`; otherwise it is empty.
    `timeout_seconds` stops the whole process group with SIGKILL when it has passed, also while the server is away.
    """

    id: str
    argv: Sequence[str]
    cwd: str | None = None
    user: User | None = None
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    attach_stdin: bool = False
    timeout_seconds: float | None = None


OUT_OF_MEMORY_LINE = "[loopyard: out of memory: "
"""Beginning of a line that a provider puts at the end of a command's standard error, if the command failed and the
kernel had killed something in the sandbox for its memory limit while it ran."""


@dataclass(frozen=True, slots=True)
class CommandResult:
    """How a command ended.

    `exit_status` is 0..255, a death by signal N is 128 + N as a shell says it. `timed_out` tells that its own
    `timeout_seconds` ended it. `lost` tells that the host lost track of it (the sandbox or the host went down under
    it), in which case `exit_status` is 137. `truncated` names the streams whose end could not be kept because the
    host's disk was full: what is kept of them is their beginning. `not_started` tells that the kernel did not start
    its program at all: there is none of this name, or its variables are too large; `exit_status` is 126 or 127 then, as
    a shell says it. `out_of_memory` tells that the kernel killed something in the sandbox for its memory limit while
    the command ran. Providers that cannot tell leave both false.
    """

    exit_status: int
    timed_out: bool = False
    lost: bool = False
    truncated: tuple[Stream, ...] = ()
    not_started: bool = False
    out_of_memory: bool = False


@dataclass(frozen=True, slots=True)
class Terminal:
    """The size of a terminal, in characters, and what kind it says it is (the variable TERM)."""

    rows: int = 24
    columns: int = 80
    kind: str = "xterm-256color"


class Attached(Protocol):
    """A command whose streams are this process's own. It ends with this process, unlike those of `start_command`.

    With a terminal, `stdin` and `stdout` are both the terminal's descriptor and `stderr` is None; else each is the end
    of a pipe. They are not blocking. Whoever asked closes them.
    """

    stdin: int
    stdout: int
    stderr: int | None

    async def wait(self) -> int:
        """Wait until the command has ended; its exit status, 128 + N for a death by signal N."""
        ...

    def signal(self, number: int) -> None:
        """Send a signal to the command's process group (with a terminal: to the group in its foreground)."""
        ...

    def resize(self, rows: int, columns: int) -> None:
        """Change the terminal's size; nothing without one."""
        ...


@dataclass(frozen=True, slots=True)
class Features:
    """Features of a provider on its host, where they are not the same everywhere. All else is promised by all."""

    disk_limits: bool
    """`Limits.disk_bytes` holds. Without it a sandbox can fill the host's disk."""
    user_namespaces: bool
    """Root in a sandbox is nobody on the host."""
    metadata_closed: bool
    """Sandboxes cannot reach the link-local networks, where clouds tell secrets."""
    network_rules: bool
    """Policies may name hosts, networks and groups. Without it a sandbox has the whole network, or none of it."""
    snapshot_xattrs: bool
    """Snapshots keep extended attributes in the `user.` space, and fractions of seconds. All else is always kept."""


class Runtime(Protocol):
    """A provider of sandboxes on one host or many, opened (see `factory`). All methods may be called concurrently."""

    name: str

    @property
    def features(self) -> Features:
        """Features on this host."""
        ...

    async def close(self) -> None:
        """Release this process's own resources. Sandboxes and commands keep running."""
        ...

    async def create(self, spec: SandboxSpec) -> None:
        """Make and start a sandbox; return when commands can be started in it. Does nothing if it is running.

        Raises:
            ImageNotFound, SnapshotNotFound: What it is to be made of is not on this host.
            SandboxStartFailed: The host could not start it; nothing of it is left.
        """
        ...

    async def destroy(self, sandbox_id: str) -> None:
        """Stop everything in the sandbox and free its disk, network and limits. The output of its commands is kept
        until `forget`. Does nothing if it is gone; a call that was cut off can be repeated.

        Raises:
            SandboxStuck: The host could not; the call can be repeated.
        """
        ...

    async def set_network_policy(self, sandbox_id: str, policy: NetworkPolicy | None) -> None:
        """Change what a running sandbox may reach; when this returns, the new policy is in force. Connections that it
        no longer allows carry nothing any more. Does nothing if the policy is the one in force.

        Raises:
            SandboxNotFound, SandboxNotRunning.
            NotSupported: The provider cannot enforce this policy.
        """
        ...

    async def suspend(self, sandbox_id: str) -> None:
        """Stop everything in the sandbox and free its network and limits, but keep its disk and the output of its
        commands. `create` with the same id starts it again on that disk. Does nothing if it is stopped.

        Raises:
            SandboxNotFound: There is none of this id.
            SandboxStuck: The host could not; the call can be repeated.
        """
        ...

    async def snapshot(self, sandbox_id: str, snapshot_id: str) -> int | None:
        """Keep the sandbox's disk as it is at one moment, running or suspended, under a new id. Does nothing if there
        is a snapshot of this id. It outlives the sandbox. Returns how many bytes it holds beyond its image; None where
        the provider cannot tell.

        Raises:
            SandboxNotFound: There is none of this id.
            SnapshotFailed: The host could not take it; nothing of it is left.
        """
        ...

    async def delete_snapshot(self, snapshot_id: str) -> None:
        """Delete a snapshot. Sandboxes that were made from it keep all they have. Does nothing if it is gone."""
        ...

    async def snapshots(self) -> set[str]:
        """The ids of all snapshots on the host, half-made ones included."""
        ...

    async def forget(self, sandbox_id: str) -> None:
        """Delete what is kept of a destroyed sandbox: the output of its commands."""
        ...

    async def sandboxes(self) -> dict[str, SandboxStatus]:
        """Every sandbox there is anything of on the host, half-made ones included, by id."""
        ...

    async def status(self, sandbox_id: str) -> SandboxStatus:
        """Status of this sandbox now.

        Raises:
            SandboxNotFound: There is none of this id.
        """
        ...

    async def usage(self, sandbox_id: str) -> SandboxUsage:
        """Usage of this sandbox now.

        Raises:
            SandboxNotFound: There is none of this id.
            SandboxNotRunning: Its init process has ended.
        """
        ...

    async def wait(self, sandbox_id: str) -> SandboxStatus:
        """Wait until the sandbox's init process has ended.

        Raises:
            SandboxNotFound: There is none of this id, or it was destroyed meanwhile.
        """
        ...

    async def start_command(self, sandbox_id: str, spec: CommandSpec) -> None:
        """Start a command and return at once. It and its output survive this process. Does nothing if the id is
        already used in this sandbox.

        Raises:
            SandboxNotFound: There is no such sandbox.
            SandboxNotRunning: Its init process has ended.
            CommandStartFailed: The host could not start it. (A program or a folder that does not exist inside is a
                result, 127 or 126, with the reason on standard error.)
        """
        ...

    async def wait_command(self, sandbox_id: str, command_id: str) -> CommandResult:
        """Wait until the command's own process has ended (background processes it left do not matter). Also answers
        for commands that ended before this process started, and after the sandbox was destroyed.

        Raises:
            CommandNotFound: It was never started, or was forgotten.
        """
        ...

    async def commands(self, sandbox_id: str) -> dict[str, CommandResult | None]:
        """Every command ever started in the sandbox and not forgotten; None while it runs."""
        ...

    async def read_output(
        self, sandbox_id: str, command_id: str, stream: Stream, offset: int = 0, limit: int = 1 << 20
    ) -> bytes:
        """Up to `limit` bytes of output from byte `offset` on, or from the end for a negative `offset` (the last
        -offset bytes); empty at the end of what is written so far.

        Raises:
            CommandNotFound: It was never started, or was forgotten.
        """
        ...

    async def output_size(self, sandbox_id: str, command_id: str, stream: Stream) -> int:
        """Bytes written so far.

        Raises:
            CommandNotFound: It was never started, or was forgotten.
        """
        ...

    async def is_truncated(self, sandbox_id: str, command_id: str, stream: Stream) -> bool:
        """True if the host's disk was full, so that only the beginning of this stream is kept. Told from then on, also
        while the command runs.

        Raises:
            CommandNotFound: It was never started, or was forgotten.
        """
        ...

    async def wait_output(
        self, sandbox_id: str, command_id: str, stream: Stream, offset: int, timeout_seconds: float
    ) -> bool:
        """Wait until there is output past byte `offset` (true), or the command has ended and there is none, or the time
        has passed (false).

        Raises:
            CommandNotFound: It was never started, or was forgotten.
        """
        ...

    async def write_stdin(self, sandbox_id: str, command_id: str, data: bytes, *, eof: bool = False) -> None:
        """Write to the standard input of a command started with `attach_stdin`; `eof` closes it afterwards.

        Raises:
            CommandNotFound: It was never started, has ended, or has no standard input attached.
        """
        ...

    async def signal_command(self, sandbox_id: str, command_id: str, signal: int, *, group: bool = True) -> None:
        """Send a signal to the command's process, or to its whole process group. Does nothing once it has ended.

        Raises:
            CommandNotFound: It was never started, or was forgotten.
        """
        ...

    async def attach_command(self, sandbox_id: str, spec: CommandSpec, terminal: Terminal | None = None) -> Attached:
        """Start a command whose streams the caller holds, with a terminal of the sandbox's own if one is asked for.
        `spec.id` and `spec.attach_stdin` mean nothing here.

        Raises:
            SandboxNotFound, SandboxNotRunning, CommandStartFailed.
        """
        ...

    async def connect(self, sandbox_id: str, port: int) -> socket.socket:
        """A connection to a TCP port of the sandbox's own loopback address, not blocking.

        Raises:
            SandboxNotFound, SandboxNotRunning.
            PortClosed: Nothing listens there.
        """
        ...

    async def listen(self, sandbox_id: str, port: int) -> socket.socket:
        """A socket that listens on a TCP port of the sandbox's own loopback address, not blocking; 0 is a free port.
        It ends with this process, or when the caller closes it.

        Raises:
            SandboxNotFound, SandboxNotRunning.
            PortTaken: Something listens there already.
        """
        ...

    def read_file(self, sandbox_id: str, path: str, *, user: User | None = None) -> AsyncIterator[bytes]:
        """A file's bytes, in chunks, as the sandbox's user sees it. A relative path starts at the user's home. Memory
        use does not grow with the file. Raises on the first step, before any chunk.

        Raises:
            SandboxNotFound, SandboxNotRunning, FileNotFound, FileAccessDenied, FileUnsuitable.
        """
        ...

    async def write_file(
        self,
        sandbox_id: str,
        path: str,
        content: AsyncIterable[bytes],
        *,
        user: User | None = None,
        mode: int | None = None,
    ) -> None:
        """Replace a file's content, making its parent folders; it belongs to the user. A relative path starts at the
        user's home. `mode` None keeps an existing file's mode. Other files are never touched if this is cut off.

        Raises:
            SandboxNotFound, SandboxNotRunning, FileAccessDenied, FileUnsuitable, NoSpaceLeft.
        """
        ...
