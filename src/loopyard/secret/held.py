"""Tokens that are given with a request and needed some time later. Until then they are kept sealed, as secrets are."""

from collections.abc import Mapping

from sqlalchemy.ext.asyncio import AsyncSession

from loopyard.secret.models import HeldToken
from loopyard.secret.repository import SecretRepository
from loopyard.secret.vault import Sealed, Vault


class HeldTokens:
    """Whoever needs a token no more calls `repository.forget_tokens`."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    async def hold(self, session: AsyncSession, owner_id: str, tokens: Mapping[str, str]) -> None:
        """Keep tokens of an owner's, by what they are for."""
        if not tokens:
            return
        secrets = SecretRepository(session)
        await secrets.hold_keys()
        rows = list[HeldToken]()
        for place, value in tokens.items():
            token = HeldToken(owner_id=owner_id, place=place)
            sealed = self._vault.seal(token.bound_to, value)
            token.sealed, token.key_id = sealed.data, sealed.key_id
            rows.append(token)
        await secrets.create_tokens(rows)

    async def opened(self, session: AsyncSession, owner_id: str) -> dict[str, str]:
        """An owner's tokens, by what they are for.

        Raises:
            Unavailable: One cannot be opened.
        """
        tokens = await SecretRepository(session).list_tokens(owner_id)
        return {one.place: self._vault.open(one.bound_to, Sealed(one.sealed, one.key_id)) for one in tokens}
