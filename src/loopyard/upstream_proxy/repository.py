"""SQL for what devboxes may call upstream, and for their tokens."""

from collections.abc import Sequence

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from loopyard.upstream_proxy.models import UpstreamGrant, UpstreamToken


async def grants_of(session: AsyncSession, devbox_id: str) -> Sequence[UpstreamGrant]:
    """The grants that a devbox was made with, in order."""
    statement = select(UpstreamGrant).where(UpstreamGrant.devbox_id == devbox_id, UpstreamGrant.variable.is_not(None))
    return (await session.scalars(statement.order_by(UpstreamGrant.id))).all()


async def of_token(session: AsyncSession, digest: str, kind: str) -> tuple[UpstreamToken | None, list[UpstreamGrant]]:
    """A token of this kind, and what it stands for; nothing if there is none."""
    token = await session.get(UpstreamToken, digest)
    if token is None or token.kind != kind:
        return None, []
    if token.grant_id is not None:
        grant = await session.get(UpstreamGrant, token.grant_id)
        return token, [] if grant is None else [grant]
    return token, [grant for grant in await grants_of(session, token.devbox_id) if grant.kind == kind]


async def is_in_use(session: AsyncSession, config_id: str) -> bool:
    """True if a devbox that has not ended may call by this configuration."""
    statement = select(UpstreamGrant.id).where(UpstreamGrant.config_id == config_id).limit(1)
    return await session.scalar(statement) is not None


async def has_any(session: AsyncSession) -> bool:
    """True if any devbox may call anything."""
    return await session.scalar(select(UpstreamGrant.id).limit(1)) is not None


async def forget(session: AsyncSession, devbox_id: str) -> bool:
    """Delete all of a devbox's; false if there was nothing."""
    await session.execute(delete(UpstreamToken).where(UpstreamToken.devbox_id == devbox_id))
    gone = await session.execute(
        delete(UpstreamGrant).where(UpstreamGrant.devbox_id == devbox_id).returning(UpstreamGrant.id)
    )
    return gone.first() is not None
