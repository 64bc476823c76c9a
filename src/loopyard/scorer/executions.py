"""Questions about the executions of scoring functions."""

from loopyard.devbox.execution.engine import ExecutionEngine
from loopyard.kit.errors import NotFound
from loopyard.scorer.request import command_id


async def has_begun(executions: ExecutionEngine, devbox_id: str, index: int) -> bool:
    """True if the scoring function at `index` was started, also before a crash."""
    try:
        await executions.get(devbox_id, command_id(index))
    except NotFound:
        return False
    return True
