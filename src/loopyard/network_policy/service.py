"""Decides about network policies. `Enforcement` carries the decisions out."""

from sqlalchemy.ext.asyncio import AsyncSession

from loopyard.kit.clock import now_ms
from loopyard.kit.errors import WrongState
from loopyard.network_policy.enforcement import PolicyUsers
from loopyard.network_policy.models import NetworkPolicy
from loopyard.network_policy.repository import NetworkPolicyRepository
from loopyard.network_policy.schemas import NetworkPolicyCreateParams, NetworkPolicyUpdateParams

_FLAGS = (
    "allow_all",
    "allow_agent_gateway",
    "allow_devbox_to_devbox",
    "allow_mcp_gateway",
    "allow_runloop_mirrors",
)


async def create(
    session: AsyncSession, account_id: str, params: NetworkPolicyCreateParams, *, policy_id: str
) -> NetworkPolicy:
    """Write a new policy down.

    Raises:
        BadRequest: The account has one of this name.
    """
    now = now_ms()
    policy = NetworkPolicy(
        id=policy_id,
        account_id=account_id,
        description=params.description,
        **{flag: getattr(params, flag) or False for flag in _FLAGS},
        allowed_cidrs=params.allowed_cidrs or [],
        allowed_hostnames=params.allowed_hostnames or [],
        create_time_ms=now,
        update_time_ms=now,
    )
    policies = NetworkPolicyRepository(session)
    await policies.rename(policy, account_id, params.name)
    return await policies.create(policy)


async def update(
    session: AsyncSession, account_id: str, policy_id: str, params: NetworkPolicyUpdateParams
) -> NetworkPolicy:
    """Change what is given.

    Raises:
        NotFound: The account has none of this id.
        BadRequest: It has another of this name.
    """
    policies = NetworkPolicyRepository(session)
    policy = await policies.get_one_owned_for_update(policy_id, account_id)
    if params.name is not None and params.name != policy.name:
        await policies.rename(policy, account_id, params.name)
    for flag in _FLAGS:
        if (value := getattr(params, flag)) is not None:
            setattr(policy, flag, value)
    if params.allowed_cidrs is not None:
        policy.allowed_cidrs = params.allowed_cidrs
    if params.allowed_hostnames is not None:
        policy.allowed_hostnames = params.allowed_hostnames
    if params.description is not None:
        policy.description = params.description
    policy.update_time_ms = max(now_ms(), policy.update_time_ms + 1)
    return await policies.update(policy)


async def delete(session: AsyncSession, account_id: str, policy_id: str, users: PolicyUsers) -> NetworkPolicy:
    """Delete a policy that none of its `users` names; returns what it was.

    Raises:
        NotFound: The account has none of this id.
        WrongState: Devboxes that have not ended name it.
    """
    policies = NetworkPolicyRepository(session)
    policy = await policies.get_one_owned_for_update(policy_id, account_id)
    if using := await users.ids_with_policy(session, policy_id):
        raise WrongState(f"Network policy {policy_id} is in use by {len(using)} devboxes, such as {using[0]}.")
    return await policies.delete(policy)
