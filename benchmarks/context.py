"""What every measurement is given."""

from dataclasses import dataclass

from runloop_api_client import AsyncRunloop

from benchmarks.loopyard import Loopyard
from benchmarks.peers.engine import Engine
from tests.serving import ServerProcess


@dataclass(frozen=True, slots=True)
class Counts:
    """How often each thing is done, and how much of it."""

    create: int = 50
    execute: int = 200
    command_line: int = 20
    burst: int = 100
    idle: int = 200
    crowd: int = 500
    commits: int = 5
    builds: int = 10
    context_files: int = 20_000
    transfers: int = 5
    disk_mib: int = 1024
    stream_mib: int = 512
    file_mib: int = 1024
    scenario_runs: int = 30
    gateway_boxes: int = 50
    gateway_seconds: int = 20
    evaluations: int = 200
    evaluations_for_memory: int = 2000
    pages: int = 60
    large_pages: int = 15
    rows: tuple[int, ...] = (1_000, 100_000, 1_000_000)
    events: int = 20_000
    subscribers: int = 200
    axons: int = 10_000


QUICK = Counts(
    create=5,
    execute=20,
    command_line=3,
    burst=10,
    idle=10,
    crowd=20,
    commits=2,
    builds=2,
    context_files=500,
    transfers=2,
    disk_mib=64,
    stream_mib=32,
    file_mib=64,
    scenario_runs=3,
    gateway_boxes=5,
    gateway_seconds=6,
    evaluations=20,
    evaluations_for_memory=60,
    pages=10,
    large_pages=3,
    rows=(1_000, 10_000),
    events=1_000,
    subscribers=20,
    axons=200,
)


@dataclass(frozen=True, slots=True)
class Context:
    """A server of the benchmark's own on a warm image, driven plainly and by the official client; another one that
    keeps no sandboxes ready, as its peers keep none; and the peers."""

    counts: Counts
    loopyard: Loopyard
    plain_server: ServerProcess
    plain: Loopyard
    official: AsyncRunloop
    engines: list[Engine]
