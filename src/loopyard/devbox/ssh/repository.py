"""SQL for SSH keys."""

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from loopyard.devbox.models import Devbox
from loopyard.devbox.ssh.models import SshKey


async def find(session: AsyncSession, fingerprint: str) -> tuple[SshKey, Devbox] | None:
    """The key with this fingerprint, and the devbox that it opens."""
    statement = select(SshKey, Devbox).join(Devbox, Devbox.id == SshKey.devbox_id)
    row = (await session.execute(statement.where(SshKey.fingerprint == fingerprint))).first()
    return None if row is None else (row[0], row[1])


async def delete_of(session: AsyncSession, devbox_id: str) -> None:
    """Delete all keys of a devbox."""
    await session.execute(delete(SshKey).where(SshKey.devbox_id == devbox_id))
