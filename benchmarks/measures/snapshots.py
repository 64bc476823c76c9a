"""Snapshots of disks, small and large, and boxes made from them."""

from benchmarks.context import Context
from benchmarks.loopyard import Loopyard
from benchmarks.result import Measure, Series, timed
from benchmarks.settling import settled


async def snapshots(context: Context) -> list[Measure]:
    """A snapshot of a disk with nothing and with much on it, and from it to the first command of a new box."""
    counts, loopyard = context.counts, context.loopyard
    small, large = await loopyard.create(), await loopyard.create()
    fill = f"head -c {counts.disk_mib}M /dev/urandom >~/much && sync"
    await loopyard.execute(large, fill)
    taken: list[str] = []

    async def take(devbox: str) -> None:
        taken.append((await loopyard.post(f"/v1/devboxes/{devbox}/snapshot_disk"))["id"])

    take_small = [Series("loopyard", "HTTP", await timed(counts.create, lambda: take(small)))]
    take_large = [Series("loopyard", "HTTP", await timed(counts.create, lambda: take(large)))]
    start = [Series("loopyard", "HTTP", await _from(loopyard, taken[-1], counts.create))]
    start.append(Series("loopyard", "HTTP, base image", await _from(loopyard, None, counts.create)))
    copied = await context.plain.create()
    await context.plain.execute(copied, fill)
    snapshot = (await context.plain.post(f"/v1/devboxes/{copied}/snapshot_disk"))["id"]
    start.append(Series("loopyard", "HTTP, none ready", await _from(context.plain, snapshot, counts.create)))
    for engine in context.engines:
        box = await engine.create()
        take_small.append(
            Series(engine.subject, "commit", await timed(counts.command_line, lambda e=engine, b=box: e.commit(b)))
        )
        await engine.execute(box, fill)
        take_large.append(
            Series(engine.subject, "commit", await timed(counts.commits, lambda e=engine, b=box: e.commit(b)))
        )
        image = await engine.commit(box)
        made = await timed(counts.command_line, lambda e=engine, i=image: e.create_to_first_command(i))
        start.append(Series(engine.subject, "HTTP", made))
        await engine.remove_all()
        await engine.remove_images()
    return [
        Measure("snapshot", "snapshot of an empty disk", take_small, aim=50),
        Measure("snapshot-large", f"snapshot of a disk with {counts.disk_mib} MiB", take_large, aim=50),
        Measure("from-snapshot", f"create from a snapshot with {counts.disk_mib} MiB to first command", start, aim=55),
    ]


async def _from(loopyard: Loopyard, snapshot: str | None, count: int) -> list[float]:
    """To the first command of a devbox from a snapshot, or of the base image for None, again and again."""
    fields = {} if snapshot is None else {"snapshot_id": snapshot}
    await loopyard.shut_down_all()
    await settled()
    times = await timed(count, lambda: loopyard.create_to_first_command(**fields))
    await loopyard.shut_down_all()
    return times
