"""SQL for network policies."""

from dataclasses import dataclass

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from loopyard.kit import names
from loopyard.kit.paging import Page, PageQuery, fetch_page
from loopyard.network_policy.models import NetworkPolicy


@dataclass(frozen=True, slots=True)
class PolicyFilters:
    """Filters of a list: an id, a part of a name, the start of an id or a part of a name."""

    id: str | None = None
    name: str | None = None
    search: str | None = None


async def get(session: AsyncSession, policy_id: str, account_id: str | None = None) -> NetworkPolicy | None:
    """A policy by id, of any account if `account_id` is None."""
    policy = await session.get(NetworkPolicy, policy_id)
    return policy if policy is not None and account_id in (None, policy.account_id) else None


async def lock(session: AsyncSession, policy_id: str, account_id: str) -> NetworkPolicy | None:
    """A policy of the account, kept from others' changes until the transaction ends."""
    policy = await session.get(NetworkPolicy, policy_id, with_for_update=True, populate_existing=True)
    return policy if policy is not None and policy.account_id == account_id else None


async def id_of_name(session: AsyncSession, account_id: str, name: str) -> str | None:
    statement = select(NetworkPolicy.id).where(
        NetworkPolicy.account_id == account_id, NetworkPolicy.name_digest == names.digest(name)
    )
    return await session.scalar(statement)


async def page(session: AsyncSession, account_id: str, filters: PolicyFilters, query: PageQuery) -> Page[NetworkPolicy]:
    conditions: list[ColumnElement[bool]] = [NetworkPolicy.account_id == account_id]
    if filters.id is not None:
        conditions.append(NetworkPolicy.id == filters.id)
    if filters.name:
        conditions.append(names.holds(NetworkPolicy.name_folded, filters.name))
    if filters.search:
        by_id = NetworkPolicy.id.startswith(filters.search, autoescape=True)
        conditions.append(or_(by_id, names.holds(NetworkPolicy.name_folded, filters.search)))
    total = None
    if query.include_total_count:
        total = await session.scalar(select(func.count()).select_from(NetworkPolicy).where(*conditions))
    rows, more = await fetch_page(session, select(NetworkPolicy).where(*conditions), NetworkPolicy.id, query)
    return Page(rows, more, total)
