"""What a devbox reaches, tried from inside."""

import itertools
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from runloop_api_client import Runloop

from tests.serving import ServerProcess

_numbers = itertools.count(1)

_QUESTION = """
import socket, struct, sys
name, kind, server, tcp = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4] == "tcp"
query = struct.pack("!6H", 4711, 0x100, 1, 0, 0, 0)
query += b"".join(bytes([len(l)]) + l.encode() for l in name.split(".")) + b"\\0" + struct.pack("!2H", kind, 1)
try:
    if tcp:
        s = socket.create_connection((server, 53), 4); s.sendall(struct.pack("!H", len(query)) + query)
        f = s.makefile("rb"); answer = f.read(struct.unpack("!H", f.read(2))[0])
    else:
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(4); s.sendto(query, (server, 53))
        answer = s.recv(65536)
    flags, _, answers = struct.unpack("!3H", answer[2:8])
    print(flags & 15, answers)
except OSError as error:
    print("none", error)
"""

A, TXT, AAAA, HTTPS, ANY = 1, 16, 28, 65, 255


@dataclass
class Box:
    """A devbox, tried by commands."""

    client: Runloop
    id: str

    def run(self, command: str) -> tuple[int, str]:
        """Exit status and standard output."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            done = self.client.devboxes.execute_sync(self.id, command=command)  # pyright: ignore[reportDeprecated]
        return done.exit_status, done.stdout

    def looks_up(self, name: str) -> list[str]:
        """The IPv4 addresses of a name, by the box's own resolver."""
        out = self.run(f"getent ahostsv4 {name} | awk '{{print $1}}' | sort -u")[1]
        return out.split()

    def asks(self, name: str, kind: int = A, *, server: str, tcp: bool = False) -> str:
        """Response code and number of answers to a question, or `none` and why."""
        command = f"python3 - {name} {kind} {server} {'tcp' if tcp else 'udp'} <<'END'\n{_QUESTION}\nEND"
        return self.run(command)[1].strip()

    def connects(self, address: str, port: int) -> bool:
        """Whether a TCP connection is made."""
        return self.run(f"timeout 4 bash -c 'exec 3<>/dev/tcp/{address}/{port}'")[0] == 0

    def fetches(self, url: str, *options: str) -> str | None:
        """What a web server answers; None if nothing."""
        status, out = self.run(f"curl -sk --noproxy '*' --max-time 6 {' '.join(options)} '{url}'")
        return out if status == 0 else None

    def says(self, address: str, port: int, text: str) -> str:
        """What comes back on a TCP connection in two seconds."""
        command = f"timeout 4 bash -c 'exec 3<>/dev/tcp/{address}/{port}; printf \"{text}\" >&3; timeout 1.5 cat <&3'"
        return self.run(command)[1]

    def echoes(self, address: str, port: int = 5000) -> bool:
        """Whether a UDP message comes back."""
        program = (
            "import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(2); "
            f's.sendto(b"hello", ("{address}", {port})); print(s.recv(9).decode())'
        )
        return self.run(f"python3 -c '{program}'")[1].strip() == "hello"


MakeBox = Callable[..., Box]
"""Makes a devbox; the arguments are the fields of a policy made for it, none of them for no policy."""


def new_policy(client: Runloop, **policy: Any) -> str:
    """The id of a new policy, with a name of its own."""
    return client.network_policies.create(name=f"policy {next(_numbers)}", **policy).id


def end_all(server: ServerProcess) -> None:
    """Shut all devboxes of a server down."""
    with server.client() as client:
        for devbox in client.devboxes.list(limit=5000):
            if devbox.status not in ("shutdown", "failure"):
                client.devboxes.shutdown(devbox.id)
