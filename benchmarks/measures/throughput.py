"""How fast bytes come out of a command, and go in and out as files."""

from benchmarks.context import Context
from benchmarks.result import Measure, Series, rates

_LINE = "a line of a log as it might be, of some eighty characters and one for its end.\n"


async def stream(context: Context) -> list[Measure]:
    """The whole output of a command, from the request to the last byte that a reading client gets."""
    counts, loopyard = context.counts, context.loopyard
    size = counts.stream_mib << 20
    devbox = await loopyard.create()
    command = f"yes '{_LINE.strip()}' | head -c {size}"
    started = await loopyard.post(f"/v1/devboxes/{devbox}/execute_async", command=command)
    path = f"/v1/devboxes/{devbox}/executions/{started['execution_id']}"
    await loopyard.post(f"{path}/wait_for_status", statuses=["completed"])

    async def live() -> int:
        begun = await loopyard.post(f"/v1/devboxes/{devbox}/execute_async", command=command)
        return await loopyard.read_events(
            f"/v1/devboxes/{devbox}/executions/{begun['execution_id']}/stream_stdout_updates"
        )

    series = [
        Series("loopyard", "while it runs", await rates(counts.transfers, live, size)),
        Series(
            "loopyard",
            "afterwards",
            await rates(counts.transfers, lambda: loopyard.read_events(f"{path}/stream_stdout_updates"), size),
        ),
    ]
    await loopyard.shut_down_all()
    for engine in context.engines:
        box = await engine.create()
        read = await rates(counts.transfers, lambda e=engine, b=box: e.read_output(b, command), size)
        series.append(Series(engine.subject, "exec", read))
        await engine.remove_all()
    return [Measure("stream", f"standard output, {counts.stream_mib} MiB", series, unit="MB/s", aim=200)]


async def transfer(context: Context) -> list[Measure]:
    """A large file in and out."""
    counts, loopyard = context.counts, context.loopyard
    size = counts.file_mib << 20
    devbox = await loopyard.create()
    inwards = [
        Series("loopyard", "HTTP", await rates(counts.transfers, lambda: loopyard.upload(devbox, "large", size), size))
    ]
    outwards = [
        Series("loopyard", "HTTP", await rates(counts.transfers, lambda: loopyard.download(devbox, "large"), size))
    ]
    await loopyard.shut_down_all()
    for engine in context.engines:
        box = await engine.create()
        put = await rates(counts.transfers, lambda e=engine, b=box: e.copy_in(b, "large", size), size)
        got = await rates(counts.transfers, lambda e=engine, b=box: e.copy_out(b, "large", size), size)
        inwards.append(Series(engine.subject, "cp", put))
        outwards.append(Series(engine.subject, "cp", got))
        await engine.remove_all()
    return [
        Measure("upload", f"upload of a file of {counts.file_mib} MiB", inwards, unit="MB/s", aim=300),
        Measure("download", f"download of a file of {counts.file_mib} MiB", outwards, unit="MB/s", aim=300),
    ]
