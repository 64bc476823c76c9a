"""`./run bench`: measures, prints a table, and keeps the figures."""

import asyncio
import sys
import tempfile
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from benchmarks import host, report
from benchmarks.context import QUICK, Context, Counts
from benchmarks.loopyard import connected
from benchmarks.measures import MEASURES
from benchmarks.peers.start import engines
from benchmarks.result import Measure, Subject
from benchmarks.settling import settled
from loopyard.config import load
from loopyard.runtime.base_image.making import BASE
from tests.serving import serving

_PEERS: Sequence[Subject] = ("podman", "docker")
_Keep = Callable[[Sequence[Measure], Mapping[str, str]], None]
_READY, _NONE_READY = ({"LOOPYARD_RUNTIME__READY_SANDBOXES": count} for count in ("100", "0"))
_WARM = (
    "The image is there, one box was made before the clock starts, and the machine was at rest before each measure. "
    "Create, burst, run, snapshot and from-blueprint use a server as it comes, which has made 100 sandboxes ready by "
    "then; 'none ready' and all else that makes boxes is a server that makes none in advance, only its usual 32 "
    "network namespaces. HTTP is aiohttp for every subject; the official client stands on httpx."
)


def main(
    only: Annotated[list[str] | None, typer.Option(help=f"Only this; may be repeated: {', '.join(MEASURES)}.")] = None,
    *,
    quick: Annotated[bool, typer.Option(help="Few samples and little data: to see that it works.")] = False,
    peers: Annotated[bool, typer.Option(help="Whether to measure podman and docker too.")] = True,
    json: Annotated[Path | None, typer.Option(help="Where to keep the figures; else among benchmarks/results.")] = None,
) -> None:
    """Measure a Loopyard server of its own on this machine, beside podman and docker where they are installed."""
    unknown = set(only or ()) - set(MEASURES)
    if unknown:
        raise typer.BadParameter(f"{', '.join(sorted(unknown))}: choose of {', '.join(MEASURES)}.")
    facts: dict[str, Any] = {
        "taken_at": host.now().isoformat(timespec="seconds"),
        **host.commit(),
        "quick": quick,
        "warm": _WARM,
        "host": host.facts(),
    }
    counts = QUICK if quick else Counts()
    kept = json or _throw_away(quick) or report.usual_place()

    def keep(measures: Sequence[Measure], told: Mapping[str, str]) -> None:
        report.save(report.document(measures, told, facts), kept)

    measures, told = asyncio.run(_measure(only or list(MEASURES), counts, _PEERS if peers else (), keep))
    report.show(measures, told)
    print(_WARM)
    print(f"Figures: {kept}")
    if any(measure.error for measure in measures):
        raise typer.Exit(1)


def _throw_away(quick: bool) -> Path | None:
    """Quick figures are not worth keeping among the others."""
    return Path(tempfile.gettempdir()) / "loopyard-bench-quick.json" if quick else None


async def _measure(
    names: Sequence[str],
    counts: Counts,
    peers: Sequence[Subject],
    keep: _Keep,
) -> tuple[list[Measure], dict[str, str]]:
    """Measure one after the other. `keep` is given all that there is after each, since somebody may stop this."""
    measures: list[Measure] = []
    async with _context(counts, peers) as (context, told):
        for name in names:
            print(f"measuring: {name} ...", file=sys.stderr, flush=True)
            await settled()
            try:
                measures += await MEASURES[name](context)
            except Exception as error:  # what the others gave is still worth showing
                measures.append(Measure(name, name, [], error=repr(error)))
            keep(measures, told)
    return measures, told


@asynccontextmanager
async def _context(counts: Counts, peers: Sequence[Subject]) -> AsyncGenerator[tuple[Context, dict[str, str]]]:
    with (
        tempfile.TemporaryDirectory(prefix="loopyard-bench-") as folder,
        serving(Path(folder) / "data", env=_READY) as server,
        serving(Path(folder) / "plain", env=_NONE_READY) as plain_server,
    ):
        async with (
            connected(server) as loopyard,
            connected(plain_server) as plain,
            server.async_client() as official,
            engines(_images(server.data_dir) / BASE, peers) as (running, told),
        ):
            yield Context(counts, loopyard, plain_server, plain, official, running), told


def _images(data_dir: Path) -> Path:
    return load(data_dir=data_dir).runtime.images_of(data_dir)


if __name__ == "__main__":
    typer.run(main)
