"""SQL for SSH keys."""

from sqlalchemy import delete, select

from loopyard.devbox.models import Devbox
from loopyard.devbox.ssh.models import SshKey
from loopyard.kit.db.repository import TableRepository


class SshKeyRepository(TableRepository[SshKey]):
    async def get_by_fingerprint(self, fingerprint: str) -> tuple[SshKey, Devbox] | None:
        """The key with this fingerprint, and the devbox that it opens."""
        statement = select(SshKey, Devbox).join(Devbox, Devbox.id == SshKey.devbox_id)
        row = (await self._session.execute(statement.where(SshKey.fingerprint == fingerprint))).first()
        return None if row is None else (row[0], row[1])

    async def delete_of_devbox(self, devbox_id: str) -> None:
        """Delete all keys of a devbox."""
        await self._session.execute(delete(SshKey).where(SshKey.devbox_id == devbox_id))
