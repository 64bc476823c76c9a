"""SQL for the rights to open terminals."""

from sqlalchemy import delete, select

from loopyard.devbox.models import Devbox
from loopyard.kit.db.repository import TableRepository
from loopyard.pty.models import PtyTunnel


class PtyTunnelRepository(TableRepository[PtyTunnel]):
    async def get_by_token(self, token_digest: str, made_after_ms: int) -> tuple[PtyTunnel, Devbox] | None:
        """The tunnel with this token and its devbox, if it was made after that time."""
        statement = (
            select(PtyTunnel, Devbox)
            .join(Devbox, Devbox.id == PtyTunnel.devbox_id)
            .where(PtyTunnel.token_digest == token_digest, PtyTunnel.create_time_ms > made_after_ms)
        )
        row = (await self._session.execute(statement)).first()
        return None if row is None else (row[0], row[1])

    async def delete_of_devbox(self, devbox_id: str, made_before_ms: int | None = None) -> None:
        """Delete a devbox's tunnels: all, or those made before a time."""
        statement = delete(PtyTunnel).where(PtyTunnel.devbox_id == devbox_id)
        if made_before_ms is not None:
            statement = statement.where(PtyTunnel.create_time_ms < made_before_ms)
        await self._session.execute(statement)
