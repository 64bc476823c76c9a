"""Tokens that are given with a request and needed some time later. Until then they are kept sealed, as secrets are."""

from collections.abc import Mapping

from sqlalchemy.ext.asyncio import AsyncSession

from loopyard.secret import repository
from loopyard.secret.models import HeldToken
from loopyard.secret.vault import Sealed, Vault


class HeldTokens:
    """Whoever needs a token no more calls `repository.forget_tokens`."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    async def hold(self, session: AsyncSession, owner_id: str, tokens: Mapping[str, str]) -> None:
        """Keep tokens of an owner's, by what they are for."""
        if not tokens:
            return
        await repository.hold_keys(session)
        for place, value in tokens.items():
            token = HeldToken(owner_id=owner_id, place=place)
            sealed = self._vault.seal(token.bound_to, value)
            token.sealed, token.key_id = sealed.data, sealed.key_id
            session.add(token)
        await session.flush()

    async def opened(self, session: AsyncSession, owner_id: str) -> dict[str, str]:
        """An owner's tokens, by what they are for.

        Raises:
            Unavailable: One cannot be opened.
        """
        tokens = await repository.tokens_of(session, owner_id)
        return {one.place: self._vault.open(one.bound_to, Sealed(one.sealed, one.key_id)) for one in tokens}
