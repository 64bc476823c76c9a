"""How much of the host a devbox has used, by its life and its size."""

from itertools import pairwise

from loopyard.devbox.lifecycle.states import Status
from loopyard.devbox.models import Devbox
from loopyard.devbox.schemas import ResourceUsageView
from loopyard.launch.parameters import GIB, LaunchParameters

_IDLE = frozenset({Status.QUEUED, Status.SUSPENDED})
"""The statuses in which it holds no CPU and no memory."""


def usage(devbox: Devbox, time_ms: int) -> ResourceUsageView:
    """Its use until it ended, or until `time_ms` if it has not."""
    end = devbox.end_time_ms or time_ms
    elapsed = max(0, end - devbox.create_time_ms) // 1000
    steps = [(entry["status"], entry["transition_time_ms"]) for entry in devbox.state_transitions]
    steps.append(("", end))
    active = sum(max(0, until - since) for (status, since), (_, until) in pairwise(steps) if status not in _IDLE)
    seconds = min(active // 1000, elapsed)
    limits = LaunchParameters.model_validate(devbox.launch_parameters).limits
    return ResourceUsageView(
        id=devbox.id,
        status=str(devbox.status),
        start_time_ms=devbox.create_time_ms,
        end_time_ms=devbox.end_time_ms,
        total_elapsed_seconds=elapsed,
        total_active_seconds=seconds,
        vcpu_seconds=int(seconds * limits.cpu_cores),
        memory_gb_seconds=seconds * limits.memory_bytes // GIB,
        disk_gb_seconds=elapsed * limits.disk_bytes // GIB,
    )
