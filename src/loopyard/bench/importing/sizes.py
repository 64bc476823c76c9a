"""The size of a box that has at least what a task asks for."""

import math
from collections.abc import Mapping

from loopyard.bench.importing.draft import Plain

_MB = 1024
_CORES = (0.5, 1, *range(2, 17, 2))
_MOST_GIB = 64


def launch_size(cpus: float | None, memory_mb: int | None, storage_mb: int | None) -> Mapping[str, Plain]:
    """The launch parameters for a box with at least these resources; none at all where nothing is asked for. Without
    processors asked for it has one, and without memory 2 GiB for each.

    Raises:
        ValueError: No box is that large.
    """
    if cpus is None and memory_mb is None and storage_mb is None:
        return {}
    wanted = cpus or 1
    cores = next((size for size in _CORES if size >= wanted), None)
    if cores is None:
        raise ValueError(f"{wanted:g} processors are more than the {_CORES[-1]} that a box can have")
    memory = _even(max(1, math.ceil(2 * cores if memory_mb is None else memory_mb / _MB)))
    size: dict[str, Plain] = {
        "resource_size_request": "CUSTOM_SIZE",
        "custom_cpu_cores": cores,
        "custom_gb_memory": memory,
    }
    if storage_mb is not None:
        size["custom_disk_size"] = _even(max(2, math.ceil(storage_mb / _MB)))
    for name, amount in (("memory", memory), ("storage", size.get("custom_disk_size", 2))):
        if isinstance(amount, int) and amount > _MOST_GIB:
            raise ValueError(f"{amount} GiB of {name} are more than the {_MOST_GIB} that a box can have")
    return size


def _even(gib: int) -> int:
    return gib if gib == 1 else gib + gib % 2
