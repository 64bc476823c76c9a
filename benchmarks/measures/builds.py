"""Images built from one Dockerfile, with nothing, all but the end, and all of it in the cache; several at once; and a
box of a large image."""

import asyncio
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from uuid import uuid4

from benchmarks.context import Context
from benchmarks.measures.build_contexts import build_contexts
from benchmarks.peers.engine import IMAGE, Engine
from benchmarks.result import Measure, Series, Subject, timed
from benchmarks.settling import settled

_STEPS = """FROM {base}
RUN echo {fresh} > /fresh
RUN mkdir /files && for number in $(seq 1000); do echo $number > /files/$number; done
RUN head -c 16M /dev/urandom > /random
ENV COLOUR=green
WORKDIR /srv
"""
_CHANGED = """FROM {base}
RUN mkdir /files && for number in $(seq 1000); do echo $number > /files/$number; done
RUN head -c 16M /dev/urandom > /random
ENV COLOUR=green
WORKDIR /srv
RUN echo {fresh} > /last
"""
_AT_ONCE = 8

Build = Callable[[str], Awaitable[object]]
_Subject = tuple[Subject, str, str, Build]


async def builds(context: Context) -> list[Measure]:
    """From asking for a build of six steps to its end, on a base image that is there. All sides run three commands."""
    count = context.counts.builds
    own: _Subject = ("loopyard", "HTTP", "loopyard-base", context.plain.build)
    subjects: list[_Subject] = [own]
    subjects.extend((engine.subject, "build", IMAGE, _by_command_line(engine)) for engine in context.engines)
    cold, cached, changed, at_once = [list[Series]() for _ in range(4)]
    for subject, how, base, build in subjects:
        cold.append(Series(subject, how, await _cold(count, base, build)))
        cached.append(Series(subject, how, await _cached(count, base, build)))
        changed.append(Series(subject, how, await _changed(count, base, build)))
        at_once.append(Series(subject, how, await _at_once(max(count // 3, 1), base, build)))
        await settled()
    for engine in context.engines:
        await engine.remove_images()
    return [
        Measure("build-cold", "image of three commands, none of them built before", cold, aim=_aim(cold, 0.9)),
        Measure("build-cached", "the same image again", cached, aim=_aim(cached, 1, "docker")),
        Measure("build-changed", "the same image, its last command changed", changed, aim=_aim(changed, 0.7)),
        Measure(
            "build-at-once",
            f"{_AT_ONCE} different images at once, until the last is there",
            at_once,
            aim=_aim(at_once, 1 / 1.5, "docker"),
        ),
        *(await build_contexts(context)),
    ]


def _aim(series: Sequence[Series], share: float, *peers: str) -> float | None:
    """A share of the fastest peer's median, of these peers or of all."""
    medians = [one.summary.median for one in series[1:] if one.summary and (not peers or one.subject in peers)]
    return share * min(medians) if medians else None


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


async def _changed(count: int, base: str, build: Build) -> list[float]:
    return await timed(count, lambda: build(_CHANGED.format(base=base, fresh=uuid4())))


async def _at_once(count: int, base: str, build: Build) -> list[float]:
    async def build_all() -> None:
        await asyncio.gather(*(build(_STEPS.format(base=base, fresh=uuid4())) for _ in range(_AT_ONCE)))

    return await timed(count, build_all)


def _by_command_line(engine: Engine) -> Build:
    async def build(dockerfile: str) -> None:
        with tempfile.TemporaryDirectory(prefix="loopyard-bench-build-") as folder:
            (Path(folder) / "Dockerfile").write_text(dockerfile)
            await engine.build(Path(folder))

    return build
