"""Makes the keys that open devboxes, and takes them back."""

from typing import Protocol

from sqlalchemy.ext.asyncio import AsyncSession

from loopyard.auth.acting import acting_key
from loopyard.devbox.models import Devbox
from loopyard.devbox.service import DevboxService
from loopyard.devbox.ssh.identity import new_key
from loopyard.devbox.ssh.models import SshKey
from loopyard.devbox.ssh.repository import SshKeyRepository
from loopyard.devbox.ssh.schemas import DevboxCreateSSHKeyResponse
from loopyard.kit.clock import now_ms
from loopyard.kit.db.database import after_commit
from loopyard.kit.errors import BadRequest
from loopyard.launch.parameters import LaunchParameters


class Door(Protocol):
    """Where keys are used."""

    def url(self, api_host: str) -> str | None:
        """Address of SSH for clients that reach the API at `api_host`; None if there is no SSH."""
        ...

    def drop(self, devbox_id: str) -> None:
        """End all connections to a devbox."""
        ...


class SshKeys:
    def __init__(self, devboxes: DevboxService, door: Door) -> None:
        self._devboxes = devboxes
        self._door = door

    async def create(
        self, session: AsyncSession, account_id: str, devbox_id: str, api_host: str
    ) -> DevboxCreateSSHKeyResponse:
        """A new key for a devbox, good until the devbox ends, or the API key that it is made with.
        Its private half is kept nowhere.

        Raises:
            NotFound: The account has no such devbox.
            Busy, WrongState: It is not running.
            BadRequest: This server has no SSH.
        """
        url = self._door.url(api_host)
        if url is None:
            raise BadRequest("SSH is switched off on this server: LOOPYARD_SSH__ENABLED.")
        devbox = await self._devboxes.get_running(session, account_id, devbox_id)
        key = new_key(devbox_id)
        row = SshKey(
            fingerprint=key.get_fingerprint(), devbox_id=devbox_id, made_by=acting_key(), create_time_ms=now_ms()
        )
        await SshKeyRepository(session).create(row)
        return DevboxCreateSSHKeyResponse(
            id=devbox_id,
            ssh_private_key=key.export_private_key("openssh").decode(),
            ssh_user=user_of(devbox),
            url=url,
        )

    async def revoke(self, session: AsyncSession, devbox: Devbox) -> None:
        """The devbox ends: its keys open nothing any more, and who is connected is thrown out."""
        await SshKeyRepository(session).delete_of_devbox(devbox.id)

        after_commit(session, lambda: self._door.drop(devbox.id))


def user_of(devbox: Devbox) -> str:
    """The user that a key of the devbox logs in as."""
    return LaunchParameters.model_validate(devbox.launch_parameters).user.name
