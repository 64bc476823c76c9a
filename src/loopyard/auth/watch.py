"""Notices what becomes of keys and accounts outside of this process, and as time passes."""

from loopyard.auth.authenticator import Authenticator
from loopyard.identity.repository import ApiKeyRepository
from loopyard.kit.clock import now_ms
from loopyard.kit.db.database import Database

LOOK_SECONDS = 1.0
"""How late the server may notice that the command line revoked a key or disabled an account, or that a key expired
whose connections are open. What is revoked through the API is known at once."""

_MARGIN_MS = 60_000
"""How far back each look goes: a change may be committed later than it says, or by a clock that is a little behind."""
NOTE_SECONDS = 30.0
"""How often uses of keys are written down."""


class KeyWatch:
    def __init__(self, database: Database, authenticator: Authenticator) -> None:
        self._database = database
        self._authenticator = authenticator
        self._seen_accounts: dict[str, int | None] = {}

    async def look(self) -> None:
        """Look once."""
        async with self._database.read() as session:
            keys, accounts = await ApiKeyRepository(session).changed_since(now_ms() - _MARGIN_MS)
        self._authenticator.forget({*keys, *self._authenticator.expired()})
        changed = {name for name, at in accounts.items() if self._seen_accounts.get(name) != at}
        self._seen_accounts = accounts
        uncertain = self._authenticator.forget_accounts(changed) if changed else []
        for key_id in {*uncertain, *self._authenticator.held_unknown()}:
            if not await self._authenticator.is_good(key_id):
                self._authenticator.forget([key_id])

    async def note_uses(self) -> None:
        """Write down when keys were last used."""
        if uses := self._authenticator.take_uses():
            async with self._database.write() as session:
                await ApiKeyRepository(session).note_uses(uses)
