"""/v1/network-policies: making, finding, changing and deleting network policies."""

from typing import Annotated

from fastapi import APIRouter, Body, Depends, Query

from loopyard.auth.caller import CallerDep
from loopyard.auth.creation import Creation, creation_of
from loopyard.kit.db.database import DatabaseDep, ReadSession, WriteSession
from loopyard.kit.db.named_repository import NameFilters
from loopyard.kit.host.failpoint import failpoint
from loopyard.kit.http.parts import part
from loopyard.kit.http.wire import ShortText
from loopyard.kit.lists.paging import PageParams, cursor_of
from loopyard.network_policy import service
from loopyard.network_policy.enforcement import Enforcement
from loopyard.network_policy.repository import NetworkPolicyRepository
from loopyard.network_policy.schemas import (
    NetworkPolicyCreateParams,
    NetworkPolicyListView,
    NetworkPolicyUpdateParams,
    NetworkPolicyView,
)

router = APIRouter(prefix="/v1/network-policies", tags=["network-policies"])

new_policy = creation_of("networkpolicies.create", "npo")
CreationDep = Annotated[Creation, Depends(new_policy)]

EnforcementDep = Annotated[Enforcement, Depends(part(Enforcement))]


async def _filters(
    id: Annotated[ShortText | None, Query(description="Only the policy of this id.")] = None,
    name: Annotated[ShortText | None, Query(description="Only policies whose name holds this, in any case.")] = None,
    search: Annotated[
        ShortText | None, Query(description="Only policies whose id starts with this, or whose name holds it.")
    ] = None,
) -> NameFilters:
    return NameFilters(id, name, search)


@router.post("", operation_id="networkpolicies.create")
async def create(
    params: NetworkPolicyCreateParams,
    caller: CallerDep,
    session: WriteSession,
    enforcement: EnforcementDep,
    creation: CreationDep,
) -> NetworkPolicyView:
    """Make a network policy. One that allows nothing is a policy as well: its devboxes reach nothing."""
    made = await creation.claim(session)
    if made.is_repeat:
        return NetworkPolicyView.of(await NetworkPolicyRepository(session).get_one_owned(made.id, caller.account_id))
    policy = await service.create(session, caller.account_id, params, policy_id=made.id)
    enforcement.check(policy)
    return NetworkPolicyView.of(policy)


@router.get("", operation_id="networkpolicies.list")
async def list_policies(
    caller: CallerDep,
    session: ReadSession,
    page_query: PageParams,
    filters: Annotated[NameFilters, Depends(_filters)],
) -> NetworkPolicyListView:
    """The account's network policies, newest first."""
    page = await NetworkPolicyRepository(session).list_page(caller.account_id, filters, cursor_of(page_query, "npo"))
    views = [NetworkPolicyView.of(policy) for policy in page.items]
    return NetworkPolicyListView(network_policies=views, has_more=page.has_more, total_count=page.total_count)


@router.get("/{id}", operation_id="networkpolicies.retrieve")
async def retrieve(id: ShortText, caller: CallerDep, session: ReadSession) -> NetworkPolicyView:
    """Retrieve a network policy."""
    return NetworkPolicyView.of(await NetworkPolicyRepository(session).get_one_owned(id, caller.account_id))


@router.post("/{id}", operation_id="networkpolicies.update")
async def update(
    id: ShortText,
    caller: CallerDep,
    database: DatabaseDep,
    enforcement: EnforcementDep,
    params: Annotated[NetworkPolicyUpdateParams | None, Body()] = None,
) -> NetworkPolicyView:
    """Change a network policy; what is not given stays. When this answers, it is in force in all devboxes that name
    it."""
    async with database.write() as session:
        policy = await service.update(session, caller.account_id, id, params or NetworkPolicyUpdateParams())
        enforcement.check(policy)
    failpoint("network_policy.updated")
    await enforcement.apply(id)
    return NetworkPolicyView.of(policy)


@router.post("/{id}/delete", operation_id="networkpolicies.delete")
async def delete(
    id: ShortText, caller: CallerDep, session: WriteSession, enforcement: EnforcementDep
) -> NetworkPolicyView:
    """Delete a network policy that no devbox uses any more; answers with what it was."""
    return NetworkPolicyView.of(await service.delete(session, caller.account_id, id, enforcement.users))
