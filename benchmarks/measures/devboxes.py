"""One devbox at a time: how soon it takes its first command, and how long a command goes there and back."""

from benchmarks.context import Context
from benchmarks.result import Measure, Series, timed
from benchmarks.settling import settled


async def create(context: Context) -> list[Measure]:
    """From asking for a devbox to the end of its first command, one after another."""
    counts, loopyard, official = context.counts, context.loopyard, context.official

    async def create_by_official_client() -> None:
        devbox = await official.devboxes.create_and_await_running()
        await official.devboxes.execute_and_await_completion(devbox.id, command="true")

    series = [Series("loopyard", "HTTP", await timed(counts.create, loopyard.create_to_first_command))]
    await loopyard.shut_down_all()
    await settled()
    series.append(Series("loopyard", "official client", await timed(counts.create, create_by_official_client)))
    await loopyard.shut_down_all()
    await settled()
    by_plain = await timed(counts.create, context.plain.create_to_first_command)
    series.append(Series("loopyard", "HTTP, none ready", by_plain))
    await context.plain.shut_down_all()
    for engine in context.engines:
        series.append(Series(engine.subject, "HTTP", await timed(counts.create, engine.create_to_first_command)))
        series.append(Series(engine.subject, "run", await timed(counts.command_line, engine.run_by_command_line)))
        await engine.remove_all()
    return [Measure("create", "create to first command, one after another", series, aim=45)]


async def execute(context: Context) -> list[Measure]:
    """A command that does nothing, there and back, one after another in one devbox."""
    counts, loopyard, official = context.counts, context.loopyard, context.official
    devbox = await loopyard.create()
    series = [
        Series("loopyard", "HTTP", await timed(counts.execute, lambda: loopyard.execute(devbox))),
        Series(
            "loopyard",
            "official client",
            await timed(counts.execute, lambda: official.devboxes.execute_and_await_completion(devbox, command="true")),
        ),
    ]
    await loopyard.shut_down_all()
    for engine in context.engines:
        container = await engine.create()
        by_http = await timed(counts.execute, lambda engine=engine, box=container: engine.execute(box, "true"))
        by_command_line = await timed(
            counts.command_line, lambda engine=engine, box=container: engine.execute_by_command_line(box)
        )
        series += [Series(engine.subject, "HTTP", by_http), Series(engine.subject, "exec", by_command_line)]
        await engine.remove_all()
    return [Measure("execute", "execute_sync, there and back", series, aim=10)]
