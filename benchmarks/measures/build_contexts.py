"""Images built from a folder with many files, and with a large one: from the folder to the image."""

import random
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from uuid import uuid4

from benchmarks.context import Context
from benchmarks.peers.engine import IMAGE
from benchmarks.pieces import pieces
from benchmarks.result import Measure, Series, Subject, timed
from benchmarks.settling import settled

_SHARE = 0.7
_FOLDERS = 100
_FILE_BYTES = 600
_DOCKERFILE = "FROM {base}\nCOPY . /copied/\n"

BuildFolder = Callable[[Path], Awaitable[object]]
_Subject = tuple[Subject, str, str, BuildFolder]


async def build_contexts(context: Context) -> list[Measure]:
    """From a folder on the client's disk, of which one file was changed, to the image. What a client does to send the
    folder is part of it."""
    counts = context.counts
    many, large = list[Series](), list[Series]()
    own: _Subject = ("loopyard", "HTTP, upload", "loopyard-base", context.plain.build_folder)
    subjects: list[_Subject] = [own]
    subjects.extend((engine.subject, "build", IMAGE, engine.build) for engine in context.engines)
    with tempfile.TemporaryDirectory(prefix="loopyard-bench-context-") as folder:
        for subject, how, base, build in subjects:
            files = Path(folder) / f"many-{subject}"
            _make_files(files, counts.context_files)
            (files / "Dockerfile").write_text(_DOCKERFILE.format(base=base))
            many.append(Series(subject, how, await _many(counts.transfers, files, build)))
            one = Path(folder) / f"large-{subject}"
            one.mkdir()
            (one / "Dockerfile").write_text(_DOCKERFILE.format(base=base))
            large.append(Series(subject, how, await _large(counts.transfers, one, counts.file_mib << 20, build)))
            (one / "large").unlink()
            await settled()
    for engine in context.engines:
        await engine.remove_images()
    return [
        Measure("build-context", f"COPY of {counts.context_files} files", many, aim=_aim(many)),
        Measure("build-copy", f"COPY of a file of {counts.file_mib} MiB", large, aim=_aim(large)),
    ]


async def _many(count: int, folder: Path, build: BuildFolder) -> list[float]:
    async def change_and_build() -> None:
        (folder / "changed").write_text(str(uuid4()))
        await build(folder)

    return await timed(count, change_and_build)


async def _large(count: int, folder: Path, size: int, build: BuildFolder) -> list[float]:
    with (folder / "large").open("wb") as file:
        for piece in pieces(size):
            file.write(piece)

    async def change_and_build() -> None:
        with (folder / "large").open("r+b") as file:
            file.write(uuid4().bytes)
        await build(folder)

    return await timed(count, change_and_build)


def _make_files(folder: Path, count: int) -> None:
    """Make files of some hundred bytes, in folders, the same at each call."""
    numbers = random.Random(count)  # noqa: S311
    for number in range(_FOLDERS):
        (folder / f"d{number}").mkdir(parents=True)
    for number in range(count):
        (folder / f"d{number % _FOLDERS}/f{number}").write_bytes(numbers.randbytes(_FILE_BYTES))


def _aim(series: list[Series]) -> float | None:
    medians = [one.summary.median for one in series[1:] if one.summary]
    return _SHARE * min(medians) if medians else None
