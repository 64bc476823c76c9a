"""SQL for layers."""

from collections.abc import Sequence

from sqlalchemy import delete, select, update

from loopyard.agent.layer.models import AgentLayer
from loopyard.agent.layer.states import READY
from loopyard.kit.db.repository import RowRepository


class AgentLayerRepository(RowRepository[AgentLayer]):
    model = AgentLayer
    kind = "layer"

    async def get_ready(self, key: str, made_after_ms: int) -> AgentLayer | None:
        """The newest layer of this key that devboxes can start from, if it was made after that time."""
        statement = select(AgentLayer).where(
            AgentLayer.key == key, AgentLayer.state == READY, AgentLayer.create_time_ms > made_after_ms
        )
        return await self._session.scalar(statement.order_by(AgentLayer.id.desc()).limit(1))

    async def set_ready(self, layer_id: str, size_bytes: int | None, time_ms: int) -> None:
        values = {"state": READY, "size_bytes": size_bytes, "used_time_ms": time_ms}
        await self._session.execute(update(AgentLayer).where(AgentLayer.id == layer_id).values(**values))

    async def set_state(self, layer_id: str, state: str) -> None:
        await self._session.execute(update(AgentLayer).where(AgentLayer.id == layer_id).values(state=state))

    async def touch(self, layer_id: str, time_ms: int) -> None:
        await self._session.execute(update(AgentLayer).where(AgentLayer.id == layer_id).values(used_time_ms=time_ms))

    async def delete_by_id(self, layer_id: str) -> None:
        await self._session.execute(delete(AgentLayer).where(AgentLayer.id == layer_id))

    async def list_all(self) -> Sequence[AgentLayer]:
        """All layers, those used longest ago first."""
        return (await self._session.scalars(select(AgentLayer).order_by(AgentLayer.used_time_ms, AgentLayer.id))).all()
