"""SQL for what devboxes may call upstream, and for their tokens."""

from collections.abc import Iterable, Sequence

from sqlalchemy import delete, select

from loopyard.kit.db.repository import OwnedRepository
from loopyard.upstream_proxy.models import UpstreamGrant, UpstreamToken


class UpstreamGrantRepository(OwnedRepository[UpstreamGrant]):
    model = UpstreamGrant
    kind = "grant"

    async def list_of_devbox(self, devbox_id: str) -> Sequence[UpstreamGrant]:
        """The grants that a devbox was made with, in order."""
        statement = select(UpstreamGrant).where(
            UpstreamGrant.devbox_id == devbox_id, UpstreamGrant.variable.is_not(None)
        )
        return (await self._session.scalars(statement.order_by(UpstreamGrant.id))).all()

    async def get_by_token(self, digest: str, kind: str) -> tuple[UpstreamToken | None, list[UpstreamGrant]]:
        """A token of this kind, and what it stands for; nothing if there is none."""
        token = await self._session.get(UpstreamToken, digest)
        if token is None or token.kind != kind:
            return None, []
        if token.grant_id is not None:
            grant = await self.get_by_id(token.grant_id)
            return token, [] if grant is None else [grant]
        return token, [grant for grant in await self.list_of_devbox(token.devbox_id) if grant.kind == kind]

    async def create_tokens(self, tokens: Iterable[UpstreamToken]) -> None:
        """Write new tokens."""
        self._session.add_all(tokens)
        await self._session.flush()

    async def is_in_use(self, config_id: str) -> bool:
        """True if a devbox that has not ended may call by this configuration."""
        return await self._exists(UpstreamGrant.config_id == config_id)

    async def has_any(self) -> bool:
        """True if any devbox may call anything."""
        return await self._exists()

    async def delete_of_devbox(self, devbox_id: str) -> bool:
        """Delete all of a devbox's; false if there was nothing."""
        await self._session.execute(delete(UpstreamToken).where(UpstreamToken.devbox_id == devbox_id))
        gone = await self._session.execute(
            delete(UpstreamGrant).where(UpstreamGrant.devbox_id == devbox_id).returning(UpstreamGrant.id)
        )
        return gone.first() is not None
