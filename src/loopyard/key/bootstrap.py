"""The first account and its key: made at the first start, taken up at every later one."""

import hashlib
import secrets
from dataclasses import dataclass
from pathlib import Path

from loopyard.account.models import Account
from loopyard.key import repository
from loopyard.key.models import ApiKey
from loopyard.kit.clock import now_ms
from loopyard.kit.db import Database
from loopyard.kit.ids import new_id
from loopyard.kit.private_files import write_private

KEY_FILE = "api-key"


@dataclass(frozen=True, slots=True)
class BootstrapKey:
    """The key to call the server with. `fresh` is true when this start made it, so that it is shown once."""

    value: str
    fresh: bool


def digest(key: str) -> str:
    """The SHA-256 of a key, in hexadecimal, as it is stored. Keys are long and random, so no salt is needed."""
    return hashlib.sha256(key.encode()).hexdigest()


async def ensure_key(database: Database, data_dir: Path, configured: str | None) -> BootstrapKey:
    """Make sure that there is an account with a key, and that the key file holds it.

    Args:
        database: The store.
        data_dir: Where the file `api-key` (mode 0600) is kept.
        configured: The key that the operator set; it replaces whatever key there was.
    """
    path = data_dir / KEY_FILE
    kept = path.read_text().strip() if path.exists() else None
    value = configured or kept or f"ly_{secrets.token_urlsafe(32)}"
    if value != kept:
        # First the file: a crash before the commit only makes the next start retry.
        write_private(path, f"{value}\n".encode())
    async with database.write() as session:
        account = await repository.first_account(session)
        if account is None:
            account = Account(id=new_id("acc"), name="default", create_time_ms=now_ms())
            session.add(account)
        known = await repository.keys_of_account(session, account.id)
        if known != {digest(value)}:
            await repository.delete_keys(session, account.id)
            key = ApiKey(id=new_id("key"), account_id=account.id, digest=digest(value), create_time_ms=now_ms())
            session.add(key)
    return BootstrapKey(value, fresh=kept is None and configured is None)
