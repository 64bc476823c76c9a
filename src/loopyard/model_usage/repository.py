"""SQL for what calls of models have used."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import bindparam, delete, func, select, update

from loopyard.kit.db.database import upsert_into
from loopyard.kit.db.repository import Repository
from loopyard.model_usage.models import ModelCall, ModelUsage, ModelWishes
from loopyard.model_usage.sums import NAMES, NOTHING, Sums
from loopyard.model_usage.wishes import Wishes

_USAGE = ModelUsage.__table__.columns


class UsageKey(NamedTuple):
    """Key of a sum."""

    devbox_id: str
    api: str
    host: str
    model: str


class ModelUsageRepository(Repository):
    async def keep_wishes(self, devbox_id: str, wishes: Wishes) -> None:
        """Write down what holds for a new devbox, unless it is nothing."""
        if wishes != Wishes():
            self._session.add(
                ModelWishes(
                    devbox_id=devbox_id,
                    max_nano_usd=wishes.max_nano_usd,
                    max_tokens=wishes.max_tokens,
                    record=wishes.record,
                )
            )
            await self._session.flush()

    async def wishes(self, devbox_id: str) -> tuple[Wishes, bool]:
        """Budget and recording of a devbox, and whether a call of it was refused because of them."""
        kept = await self._session.get(ModelWishes, devbox_id)
        if kept is None:
            return Wishes(), False
        return Wishes(kept.max_nano_usd, kept.max_tokens, kept.record), kept.refused

    async def mark_refused(self, devbox_ids: Iterable[str]) -> None:
        """Write down that calls of these devboxes were refused."""
        for devbox_id in devbox_ids:
            await self._session.execute(
                update(ModelWishes).where(ModelWishes.devbox_id == devbox_id).values(refused=True)
            )

    async def begin(self, calls: Sequence[Mapping[str, Any]]) -> None:
        """Write down calls that have begun, as rows of `ModelCall`."""
        if calls:
            connection = await self._session.connection()
            await connection.execute(upsert_into(self._session, ModelCall).on_conflict_do_nothing(), list(calls))

    async def end(self, call_ids: Sequence[str]) -> None:
        """Forget calls that have ended."""
        if call_ids:
            # One statement for all, rather than one of its own for each length of a list, which connections would keep.
            statement = delete(ModelCall.__table__).where(ModelCall.id == bindparam("call_id"))  # pyright: ignore[reportArgumentType]
            connection = await self._session.connection()
            await connection.execute(statement, [{"call_id": call_id} for call_id in call_ids])

    async def add(self, sums: Mapping[UsageKey, Sums]) -> None:
        """Add to the sums."""
        if not sums:
            return
        rows = [{**key._asdict(), **{name: getattr(one, name) for name in NAMES}} for key, one in sorted(sums.items())]
        statement = upsert_into(self._session, ModelUsage)
        statement = statement.on_conflict_do_update(
            index_elements=list(UsageKey._fields),
            set_={name: _USAGE[name] + statement.excluded[name] for name in NAMES},
        )
        connection = await self._session.connection()
        await connection.execute(statement, rows)

    async def cut_off_all(self) -> int:
        """Count every call that is still written down as cut off, and forget it. Returns how many there were."""
        calls = (await self._session.scalars(select(ModelCall))).all()
        sums: dict[UsageKey, Sums] = {}
        for call in calls:
            key = UsageKey(call.devbox_id, call.api, call.host, "")
            sums[key] = sums.get(key, NOTHING) + Sums(cut_off=1)
        await self.add(sums)
        await self.end([call.id for call in calls])
        return len(calls)

    async def count_models(self, devbox_id: str) -> int:
        """How many rows of sums a devbox has."""
        counting = select(func.count()).select_from(ModelUsage).where(ModelUsage.devbox_id == devbox_id)
        return await self._session.scalar(counting) or 0

    async def sums_of_devboxes(self, devbox_ids: Sequence[str]) -> dict[str, list[tuple[UsageKey, Sums]]]:
        """The sums of each of these devboxes that has any."""
        found: dict[str, list[tuple[UsageKey, Sums]]] = {}
        statement = select(ModelUsage).where(ModelUsage.devbox_id.in_(devbox_ids))
        statement = statement.order_by(ModelUsage.devbox_id, ModelUsage.api, ModelUsage.host, ModelUsage.model)
        for row in await self._session.scalars(statement):
            key = UsageKey(row.devbox_id, row.api, row.host, row.model)
            found.setdefault(row.devbox_id, []).append((key, Sums(*(getattr(row, name) for name in NAMES))))
        return found

    async def wishes_of_devboxes(self, devbox_ids: Sequence[str]) -> dict[str, ModelWishes]:
        """Budgets and recording of these devboxes, of those that have any."""
        statement = select(ModelWishes).where(ModelWishes.devbox_id.in_(devbox_ids))
        return {row.devbox_id: row for row in await self._session.scalars(statement)}
