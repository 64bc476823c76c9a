"""Decides about accounts, for the operator."""

from collections.abc import Collection, Mapping
from typing import Any

from pydantic import ValidationError
from sqlalchemy.ext.asyncio import AsyncSession

from loopyard.account.config import Limits
from loopyard.account.repository import AccountRepository
from loopyard.identity.models import Account
from loopyard.kit.clock import now_ms
from loopyard.kit.errors import BadRequest, NotFound
from loopyard.kit.ids import new_id


async def create(session: AsyncSession, name: str) -> Account:
    """A new account, without a key."""
    account = Account(id=new_id("acc"), name=name, create_time_ms=now_ms())
    return await AccountRepository(session).create(account)


async def get(session: AsyncSession, account_id: str) -> Account:
    """An account, to be changed.

    Raises:
        NotFound: There is none of this id.
    """
    account = await AccountRepository(session).get_by_id_for_update(account_id)
    if account is None:
        raise NotFound(f"There is no account {account_id}.")
    return account


async def set_enabled(session: AsyncSession, account_id: str, *, enabled: bool) -> None:
    """Disable an account, or enable it again. Running servers notice within a second or so.

    Raises:
        NotFound: There is none of this id.
    """
    account = await get(session, account_id)
    account.disabled_at_ms = None if enabled else account.disabled_at_ms or now_ms()
    _mark_changed(account)


async def limit(session: AsyncSession, account_id: str, changes: Mapping[str, Any], lifted: Collection[str]) -> Limits:
    """Give an account limits of its own: those that are named change, those `lifted` become the server's again. Returns
    its own. Running servers notice within a second or so.

    Raises:
        NotFound: There is no such account.
        BadRequest: A limit cannot be what it is to be.
    """
    account = await get(session, account_id)
    wanted = {name: value for name, value in (account.limits or {}).items() if name not in lifted}
    try:
        own = Limits.model_validate({**wanted, **changes})
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        raise BadRequest(f"{first['loc'][0]}: {first['msg']}") from error
    account.limits = own.model_dump(exclude_unset=True) or None
    _mark_changed(account)
    return own


def _mark_changed(account: Account) -> None:
    account.changed_at_ms = max(now_ms(), (account.changed_at_ms or 0) + 1)
