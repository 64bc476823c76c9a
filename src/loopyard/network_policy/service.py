"""Decides about network policies. `Enforcement` carries the decisions out."""

from typing import Any

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from loopyard.kit import names
from loopyard.kit.clock import now_ms
from loopyard.kit.errors import BadRequest, NotFound, WrongState
from loopyard.network_policy import repository
from loopyard.network_policy.enforcement import PolicyUsers
from loopyard.network_policy.models import NetworkPolicy
from loopyard.network_policy.schemas import AllowedCidr, NetworkPolicyCreateParams, NetworkPolicyUpdateParams

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
        allowed_cidrs=_stored(params.allowed_cidrs or []),
        allowed_hostnames=params.allowed_hostnames or [],
        create_time_ms=now,
        update_time_ms=now,
    )
    await _name(session, policy, params.name)
    session.add(policy)
    await _flush(session, params.name)
    return policy


async def get(session: AsyncSession, account_id: str, policy_id: str) -> NetworkPolicy:
    """A policy of the account.

    Raises:
        NotFound: It has none of this id.
    """
    policy = await repository.get(session, policy_id, account_id)
    if policy is None:
        raise NotFound(f"There is no network policy {policy_id}.", field="id")
    return policy


async def update(
    session: AsyncSession, account_id: str, policy_id: str, params: NetworkPolicyUpdateParams
) -> NetworkPolicy:
    """Change what is given.

    Raises:
        NotFound: The account has none of this id.
        BadRequest: It has another of this name.
    """
    policy = await _own(session, account_id, policy_id)
    if params.name is not None and params.name != policy.name:
        await _name(session, policy, params.name)
    for flag in _FLAGS:
        if (value := getattr(params, flag)) is not None:
            setattr(policy, flag, value)
    if params.allowed_cidrs is not None:
        policy.allowed_cidrs = _stored(params.allowed_cidrs)
    if params.allowed_hostnames is not None:
        policy.allowed_hostnames = params.allowed_hostnames
    if params.description is not None:
        policy.description = params.description
    policy.update_time_ms = max(now_ms(), policy.update_time_ms + 1)
    await _flush(session, policy.name)
    return policy


async def delete(session: AsyncSession, account_id: str, policy_id: str, users: PolicyUsers) -> NetworkPolicy:
    """Delete a policy that none of its `users` names; returns what it was.

    Raises:
        NotFound: The account has none of this id.
        WrongState: Devboxes that have not ended name it.
    """
    policy = await _own(session, account_id, policy_id)
    if using := await users.ids_with_policy(session, policy_id):
        raise WrongState(f"Network policy {policy_id} is in use by {len(using)} devboxes, such as {using[0]}.")
    await session.delete(policy)
    await session.flush()
    return policy


async def _own(session: AsyncSession, account_id: str, policy_id: str) -> NetworkPolicy:
    policy = await repository.lock(session, policy_id, account_id)
    if policy is None:
        raise NotFound(f"There is no network policy {policy_id}.", field="id")
    return policy


async def _name(session: AsyncSession, policy: NetworkPolicy, name: str) -> None:
    if await repository.id_of_name(session, policy.account_id, name) is not None:
        raise _taken(name)
    policy.name, policy.name_digest, policy.name_folded = name, names.digest(name), names.fold(name)


async def _flush(session: AsyncSession, name: str) -> None:
    try:
        await session.flush()
    except IntegrityError:  # somebody else took it at this moment
        raise _taken(name) from None


def _taken(name: str) -> BadRequest:
    return BadRequest(f"name: there is a network policy named {name!r} already.", field="name")


def _stored(cidrs: list[AllowedCidr]) -> list[Any]:
    return [one.model_dump(mode="json", exclude_none=True) for one in cidrs]
