"""Devboxes as far as they use policies, blueprints and snapshots, as the packages ask about them that have those."""

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncSession

from loopyard.devbox.repository import DevboxRepository


async def ids_with_policy(session: AsyncSession, policy_id: str) -> Sequence[str]:
    """The devboxes of a network policy that are not in a final state."""
    return await DevboxRepository(session).ids_with_policy(policy_id)


async def policies_in_use(session: AsyncSession) -> Sequence[str]:
    """The network policies that devboxes name which are not in a final state."""
    return await DevboxRepository(session).policies_in_use()


async def is_being_made_from_blueprint(session: AsyncSession, blueprint_id: str) -> bool:
    """True if a devbox is just being made from the blueprint."""
    return await DevboxRepository(session).is_being_made_from_blueprint(blueprint_id)
