"""Plan of a new devbox: all that its request names, looked up and checked in one place."""

from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncSession

from loopyard.devbox.create.origin import Origin, find_origin
from loopyard.devbox.create.upstreams import Calls, find_calls
from loopyard.devbox.mounts.agents import MountedAgent, find_agents
from loopyard.devbox.mounts.references import find_objects
from loopyard.devbox.schemas import DevboxCreateParams
from loopyard.kit.host.environment import check_environment
from loopyard.launch.mounts import CodeMountParameters, MountedObject, files_of, repositories_of
from loopyard.secret.references import check_secrets


@dataclass(frozen=True, slots=True)
class DevboxPlan:
    """Base, contents and rights of a devbox that can be made."""

    origin: Origin
    objects: list[MountedObject]
    agents: list[MountedAgent]
    secrets: dict[str, str]
    """Variables to names of secrets."""
    calls: Calls
    repositories: list[CodeMountParameters]
    files: dict[str, str]
    """Paths to contents."""


async def plan_devbox(session: AsyncSession, account_id: str, params: DevboxCreateParams) -> DevboxPlan:
    """Look up all that a request names, and keep it until the transaction ends.

    Raises:
        BadRequest: Something asked for is not valid or not offered here, or there is no such secret.
        NotFound: The blueprint, snapshot, policy, object, agent or configuration named does not exist.
        Busy, WrongState: The snapshot, blueprint or object named is not complete yet, or never will be.
        Forbidden: The caller's key may not use something that is named.
    """
    origin = await find_origin(session, account_id, params)
    objects = await find_objects(session, account_id, params.mounts)
    agents = await find_agents(session, account_id, params.mounts)
    check_environment(params.environment_variables, "environment_variables")
    secrets = await check_secrets(session, account_id, params.secrets, params.environment_variables)
    calls = await find_calls(session, account_id, params, origin.launch)
    repositories = repositories_of(params.code_mounts, params.mounts)
    files = files_of(params.file_mounts, params.mounts)
    return DevboxPlan(origin, objects, agents, secrets, calls, repositories, files)
