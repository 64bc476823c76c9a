"""Images built from one Dockerfile, with nothing and with all of it in the cache; and a box of a large image."""

import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from uuid import uuid4

from benchmarks.context import Context
from benchmarks.peers.engine import IMAGE, Engine
from benchmarks.result import Measure, Series, timed
from benchmarks.settling import settled

_STEPS = """FROM {base}
RUN echo {fresh} > /fresh
RUN mkdir /files && for number in $(seq 1000); do echo $number > /files/$number; done
RUN head -c 16M /dev/urandom > /random
ENV COLOUR=green
WORKDIR /srv
"""

Build = Callable[[str], Awaitable[object]]


async def builds(context: Context) -> list[Measure]:
    """From asking for a build of six steps to its end, on a base image that is there. Both sides run three commands."""
    count = context.counts.builds
    cold = [Series("loopyard", "HTTP", await _cold(count, "loopyard-base", context.plain.build))]
    cached = [Series("loopyard", "HTTP", await _cached(count, "loopyard-base", context.plain.build))]
    for engine in context.engines:
        build = _by_command_line(engine)
        cold.append(Series(engine.subject, "build", await _cold(count, IMAGE, build)))
        cached.append(Series(engine.subject, "build", await _cached(count, IMAGE, build)))
        await engine.remove_images()
    return [
        Measure("build-cold", "image of three commands, none of them built before", cold),
        Measure("build-cached", "the same image again", cached, aim=1000),
    ]


async def from_blueprint(context: Context) -> list[Measure]:
    """From asking for a devbox to the end of its first command, on the base image and on one that is much larger."""
    counts, loopyard = context.counts, context.loopyard
    dockerfile = f"FROM loopyard-base\nRUN head -c {counts.disk_mib}M /dev/urandom > /large\n"
    blueprint = await loopyard.build(dockerfile)
    await settled()
    large = await timed(counts.create, lambda: loopyard.create_to_first_command(blueprint_id=blueprint))
    await loopyard.shut_down_all()
    await settled()
    base = await timed(counts.create, loopyard.create_to_first_command)
    await loopyard.shut_down_all()
    series = [Series("loopyard", "blueprint", large), Series("loopyard", "base image", base)]
    title = f"create from a blueprint with {counts.disk_mib} MiB more to first command"
    return [Measure("from-blueprint", title, series, reference=1)]


async def _cold(count: int, base: str, build: Build) -> list[float]:
    return await timed(count, lambda: build(_STEPS.format(base=base, fresh=uuid4())))


async def _cached(count: int, base: str, build: Build) -> list[float]:
    dockerfile = _STEPS.format(base=base, fresh=uuid4())
    return await timed(count, lambda: build(dockerfile))


def _by_command_line(engine: Engine) -> Build:
    async def build(dockerfile: str) -> None:
        with tempfile.TemporaryDirectory(prefix="loopyard-bench-build-") as folder:
            (Path(folder) / "Dockerfile").write_text(dockerfile)
            await engine.build(Path(folder))

    return build
