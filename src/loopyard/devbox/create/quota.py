"""How many devboxes an account may have, and how large they may be together."""

from functools import lru_cache
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from loopyard.account.limits import AccountLimits, check
from loopyard.devbox.lifecycle.states import Status
from loopyard.devbox.repository import DevboxRepository
from loopyard.launch.parameters import LaunchParameters
from loopyard.runtime.protocol import Limits as Size

_GIB = 1024**3
_FIELD = "launch_parameters"
_SIZE_FIELDS = ("resource_size_request", "custom_cpu_cores", "custom_gb_memory", "custom_disk_size")
_ADVICE = "Shut a devbox down, or suspend it."
_DISK_ADVICE = "Shut a devbox down; suspended ones keep their disks."


class DevboxQuota:
    def __init__(self, limits: AccountLimits) -> None:
        self._limits = limits

    async def admit(self, session: AsyncSession, account_id: str, size: Size, *, sleeping: bool = False) -> None:
        """See that the account may have one more devbox of this size that runs. One that is `sleeping` has its disk
        already.

        Raises:
            BadRequest: The account may not have so large a devbox at all.
            LimitReached: It has as many devboxes, or as large ones, as it may have.
        """
        limits = await self._limits.hold(session, account_id)
        if limits is None:
            return
        wanted = (limits.running_devboxes, limits.cpu_cores, limits.memory_gib, limits.disk_gib)
        if all(limit is None for limit in wanted):
            return
        count, cpu, memory, disk = 0, 0.0, 0, 0
        for status, launch in await DevboxRepository(session).sizes(account_id):
            each = _size(*(launch.get(name) for name in _SIZE_FIELDS))
            disk += each.disk_bytes
            if status != Status.SUSPENDED:
                count += 1
                cpu += each.cpu_cores
                memory += each.memory_bytes
        check("running_devboxes", limits.running_devboxes, count, 1, account_id=account_id, advice=_ADVICE)
        for name, limit, has, wants in (
            ("cpu_cores", limits.cpu_cores, cpu, size.cpu_cores),
            ("memory_gib", limits.memory_gib, memory / _GIB, size.memory_bytes / _GIB),
        ):
            check(name, limit, has, wants, account_id=account_id, advice=_ADVICE, field=_FIELD)
        if not sleeping:
            wants = size.disk_bytes / _GIB
            check(
                "disk_gib",
                limits.disk_gib,
                disk / _GIB,
                wants,
                account_id=account_id,
                advice=_DISK_ADVICE,
                field=_FIELD,
            )


@lru_cache(maxsize=1024)
def _size(*given: Any) -> Size:
    fields = {name: value for name, value in zip(_SIZE_FIELDS, given, strict=True) if value is not None}
    return LaunchParameters.model_validate(fields).limits
