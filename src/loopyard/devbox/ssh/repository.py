"""SQL for SSH keys."""

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from loopyard.devbox.models import Devbox
from loopyard.devbox.ssh.models import SshKey


async def devbox_of(session: AsyncSession, fingerprint: str) -> Devbox | None:
    """The devbox that the key with this fingerprint opens."""
    statement = select(Devbox).join(SshKey, SshKey.devbox_id == Devbox.id).where(SshKey.fingerprint == fingerprint)
    return await session.scalar(statement)


async def delete_of(session: AsyncSession, devbox_id: str) -> None:
    """Delete all keys of a devbox."""
    await session.execute(delete(SshKey).where(SshKey.devbox_id == devbox_id))
