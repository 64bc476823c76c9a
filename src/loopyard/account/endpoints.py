"""/v1/accounts: the caller's own account."""

from datetime import UTC, datetime

from fastapi import APIRouter

from loopyard.account.repository import AccountRepository
from loopyard.account.schemas import AccountView, Billing
from loopyard.auth.caller import CallerDep
from loopyard.kit.db.database import ReadSession
from loopyard.kit.errors import NotFound

router = APIRouter(prefix="/v1/accounts", tags=["accounts"])


@router.get("/me", operation_id="accounts.me")
async def me(caller: CallerDep, session: ReadSession) -> AccountView:
    """The account whose key this is."""
    account = await AccountRepository(session).get_by_id(caller.account_id)
    if account is None:
        raise NotFound("The account of this key is gone.")
    created = datetime.fromtimestamp(account.create_time_ms / 1000, UTC)
    return AccountView(
        id=account.id,
        name=account.name,
        created_at=created.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        account_status="ACCOUNT_STATUS_ENABLED",
        tier="ACCOUNT_TIER_ENTERPRISE",
        billing=Billing(account_billing_type="UNRECOGNIZED"),
    )
