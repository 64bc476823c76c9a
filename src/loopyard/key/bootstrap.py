"""The first account and the server's own key: made at the first start, taken up at every later one."""

import secrets
from dataclasses import dataclass
from pathlib import Path

from loopyard.identity.digest import digest
from loopyard.identity.models import Account, ApiKey
from loopyard.identity.repository import ApiKeyRepository
from loopyard.kit.clock import now_ms
from loopyard.kit.db.database import Database
from loopyard.kit.host.private_files import write_private
from loopyard.kit.ids import new_id

KEY_FILE = "api-key"
_NAME = "server"


@dataclass(frozen=True, slots=True)
class BootstrapKey:
    """The key to call the server with. `fresh` is true when this start made it, so that it is shown once."""

    value: str
    fresh: bool


async def ensure_key(database: Database, data_dir: Path, configured: str | None) -> BootstrapKey:
    """Make sure that there is an account, and that the server's own key is a standard key of the first one and in the
    key file. Keys that callers have made are left alone.

    Args:
        database: The store.
        data_dir: Where the file `api-key` (mode 0600) is kept.
        configured: The key that the operator set. It replaces the server's own key, which is revoked.
    """
    path = data_dir / KEY_FILE
    kept = path.read_text().strip() if path.exists() else None
    value = configured or kept or f"ak_{secrets.token_urlsafe(32)}"
    if value != kept:
        # First the file: a crash before the commit only makes the next start retry.
        write_private(path, f"{value}\n".encode())
    async with database.write() as session:
        keys = ApiKeyRepository(session)
        account = await keys.get_first_account()
        if account is None:
            account = await keys.create_account(Account(id=new_id("acc"), name="default", create_time_ms=now_ms()))
        await _own(keys, account.id, digest(value))
    return BootstrapKey(value, fresh=kept is None and configured is None)


async def _own(keys: ApiKeyRepository, account_id: str, hashed: str) -> None:
    """Make the key with this SHA-256 the server's only own key."""
    for other in await keys.list_of_server():
        if other.digest != hashed:
            other.revoked_at_ms = now_ms()
    known = await keys.get_by_digest(hashed)
    key = known or ApiKey(id=new_id("key"), digest=hashed, name=_NAME, create_time_ms=now_ms())
    key.account_id, key.of_server = account_id, True
    key.scopes = key.expires_at_ms = key.revoked_at_ms = None
    await (keys.create(key) if known is None else keys.update(key))
