"""A command in one box while many others idle beside it."""

from benchmarks.context import Context
from benchmarks.measures.memory import crowd
from benchmarks.result import Measure, Series, timed


async def execute_in_a_crowd(context: Context) -> list[Measure]:
    """A command that does nothing, there and back, one after another in one of many boxes."""
    counts, loopyard = context.counts, context.plain
    devboxes, errors = await crowd(counts.crowd, loopyard.create)
    samples = await timed(counts.execute, lambda: loopyard.execute(devboxes[0]))
    series = [Series("loopyard", "HTTP", samples, errors=errors)]
    await loopyard.shut_down_all()
    for engine in context.engines:
        containers, errors = await crowd(counts.crowd, engine.create)
        samples = await timed(counts.execute, lambda engine=engine, box=containers[0]: engine.execute(box, "true"))
        series.append(Series(engine.subject, "HTTP", samples, errors=errors))
        await engine.remove_all()
    return [Measure("crowd", f"execute_sync among {counts.crowd} idle boxes", series, aim=15)]
