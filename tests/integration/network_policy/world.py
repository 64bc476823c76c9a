"""Network namespaces of the tests' own: a host for the server, and an internet to reach from its devboxes.

The host's link to the internet is 203.0.113.2/24; its resolver is 10.99.0.53, behind the gateway. The tests themselves
reach the host by a link of their own, on addresses of 198.18.0.0/15.
"""

import json
import os
import subprocess
import sys
from collections.abc import Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.serving import ServerProcess

HERE = Path(__file__).parent

SHARED = "198.51.100.10"
"""An address that serves many names, as those of content networks do."""
OTHER = "198.51.100.20"
RESOLVER = "10.99.0.53"
PRIVATE = "10.12.0.5"
METADATA = "169.254.169.254"
PUBLIC_RESOLVER = "198.51.100.53"
HOST = "203.0.113.2"
GATEWAY = "203.0.113.1"
NEIGHBOUR = "203.0.113.77"
_ADDRESSES = (SHARED, OTHER, RESOLVER, PRIVATE, METADATA, PUBLIC_RESOLVER, NEIGHBOUR)

NAMES_OPEN_SECONDS = 6
"""How long addresses stay open after their last use, on the servers of these tests."""

ZONE: dict[str, dict[str, Any]] = {
    "allowed.test": {"A": [SHARED], "TXT": ['"a text"'], "HTTPS": ["1 . alpn=h2"]},
    "other.test": {"A": [OTHER]},
    "shared.test": {"A": [SHARED]},
    "wild.test": {"A": [SHARED]},
    "a.wild.test": {"A": [SHARED]},
    "b.a.wild.test": {"A": [SHARED]},
    "notwild.test": {"A": [SHARED]},
    "alias.test": {"CNAME": "cdn.elsewhere.test"},
    "cdn.elsewhere.test": {"A": [OTHER]},
    "short.test": {"A": [OTHER], "ttl": 1},
    "long.test": {"A": [SHARED], "truncate": True},
    "rebind-metadata.test": {"A": [METADATA]},
    "rebind-private.test": {"A": [PRIVATE]},
    "rebind-host.test": {"A": [HOST]},
    "rebind-loopback.test": {"A": ["127.0.0.1"]},
    "mixed.test": {"A": [PRIVATE, OTHER]},
}


def sh(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)


@dataclass
class World:
    """Names of the namespaces, and the files that the processes in them read and write."""

    host: str
    internet: str
    number: int
    folder: Path
    zone: dict[str, dict[str, Any]] = field(default_factory=lambda: dict(ZONE))

    @property
    def address(self) -> str:
        """The host's address for the tests."""
        return f"198.18.{self.number}.2"

    def write_zone(self, **names: dict[str, Any]) -> None:
        self.zone |= {name.replace("__", "."): records for name, records in names.items()}
        new = self.folder / "zone.new"
        new.write_text(json.dumps(self.zone))
        new.rename(self.folder / "zone.json")

    def asked(self) -> list[str]:
        """The names that the resolver was asked for."""
        log = self.folder / "asked"
        return [line.split()[0] for line in log.read_text().splitlines()] if log.exists() else []

    def inside(self, namespace: str, resolv_conf: Path | None = None) -> list[str]:
        """What a command starts with to run in a namespace: only its network is another."""
        enter = ["nsenter", f"--net=/run/netns/{namespace}"]
        if resolv_conf is None:
            return enter
        mounting = 'mount --bind "$0" /etc/resolv.conf && exec "$@"'
        return ["unshare", "--mount", "--propagation", "slave", "sh", "-c", mounting, str(resolv_conf), *enter]

    def server(self, name: str, resolver: str = RESOLVER) -> ServerProcess:
        """A server on the host, not yet started."""
        resolv_conf = self.folder / f"{name}.resolv.conf"
        resolv_conf.write_text(f"nameserver {resolver}\n")
        server = ServerProcess(self.folder / name / "data")
        (self.folder / name).mkdir(exist_ok=True)
        server.before = self.inside(self.host, resolv_conf)
        server.options = ["--host", self.address]
        return server

    def nft(self, *arguments: str) -> str:
        """What nft prints on the host."""
        command = [*self.inside(self.host), "nft", *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    def table(self, server: ServerProcess) -> str:
        """The name of a server's table of rules."""
        for owner in Path("/run/loopyard").glob("*/owner.json"):
            if json.loads(owner.read_text()) == str(server.data_dir):
                return f"loopyard_{owner.parent.name}"
        raise LookupError(server.data_dir)

    def elements(self, server: ServerProcess) -> str:
        """All that a server's rules say of single boxes; the sets that only count are left out."""
        names = [("map", name) for name in ("policies", "names", "guests", "groups")]
        names += [("set", "learned"), ("set", "members")]
        return "".join(self.nft("list", kind, "inet", self.table(server), name) for kind, name in names)


@contextmanager
def making(folder: Path) -> Generator[World]:
    """A world, gone at the end with all that runs in it."""
    number = os.getpid() % 250
    world = World(f"lyhost{os.getpid()}", f"lynet{os.getpid()}", number, folder)
    with ExitStack() as stack:
        for name in (world.host, world.internet):
            sh("ip", "netns", "add", name)
            stack.callback(sh, "ip", "netns", "delete", name)
        _connect(world)
        world.write_zone()
        _certificate(folder)
        stack.enter_context(_internet(world, world.internet, *_ADDRESSES, GATEWAY))
        stack.enter_context(_internet(world, world.host, "127.0.0.53"))
        stack.enter_context(_running([*world.inside(world.host), sys.executable, "-m", "http.server", "9999"], None))
        yield world


def _connect(world: World) -> None:
    near, far = f"lyt{world.number}", world.host
    sh("ip", "link", "add", near, "type", "veth", "peer", "name", "tests", "netns", far)
    sh("ip", "addr", "add", f"198.18.{world.number}.1/30", "dev", near)
    sh("ip", "link", "set", near, "up")
    sh("ip", "-n", far, "addr", "add", f"{world.address}/30", "dev", "tests")
    sh("ip", "-n", far, "link", "add", "eth0", "type", "veth", "peer", "name", "eth0", "netns", world.internet)
    for namespace in (far, world.internet):
        sh("ip", "-n", namespace, "link", "set", "lo", "up")
    for link, address in (("tests", None), ("eth0", f"{HOST}/24")):
        if address:
            sh("ip", "-n", far, "addr", "add", address, "dev", link)
        sh("ip", "-n", far, "link", "set", link, "up")
    sh("ip", "-n", far, "route", "add", "default", "via", GATEWAY)
    sh("ip", "-n", world.internet, "addr", "add", f"{GATEWAY}/24", "dev", "eth0")
    sh("ip", "-n", world.internet, "link", "set", "eth0", "up")
    for address in _ADDRESSES:
        sh("ip", "-n", world.internet, "addr", "add", f"{address}/32", "dev", "lo")


def _certificate(folder: Path) -> None:
    request = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    sh(*request, "-days", "2", "-subj", "/CN=test", "-keyout", f"{folder}/key.pem", "-out", f"{folder}/cert.pem")


@contextmanager
def _internet(world: World, namespace: str, *addresses: str) -> Generator[None]:
    files = [str(world.folder / name) for name in ("zone.json", "asked", "cert.pem", "key.pem")]
    command = [*world.inside(namespace), sys.executable, str(HERE / "internet.py"), *files, *addresses]
    with _running(command, "ready"):
        yield


@contextmanager
def _running(command: Sequence[str], says: str | None) -> Generator[None]:
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE if says else subprocess.DEVNULL, stderr=subprocess.DEVNULL, text=True
    )
    try:
        if says:
            assert process.stdout is not None
            assert process.stdout.readline().strip() == says
        yield
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def environment(**settings: Any) -> Mapping[str, str]:
    """Settings of a server's runtime, as its environment has them."""
    return {f"LOOPYARD_RUNTIME__{name.upper()}": json.dumps(value) for name, value in settings.items()}
