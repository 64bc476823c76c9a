"""The agents that jobs name: how each is installed, and how it is set to a problem."""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncSession

from loopyard.agent import service
from loopyard.agent.catalog.description import AgentDescription
from loopyard.agent.models import Agent
from loopyard.agent.source import AgentSource
from loopyard.auth.acting import require
from loopyard.benchmark_job.spec import AgentConfig
from loopyard.devbox.execution.schemas import MOST_COMMAND_BYTES
from loopyard.identity.scopes import Level, Resource
from loopyard.kit.errors import BadRequest, NotFound
from loopyard.launch.mounts import AgentMount
from loopyard.scenario.run.schemas import RunProfile
from loopyard.secret.repository import SecretRepository

_ANY_PATH = "/"
_AGENT_PATH = "~/agent"
"""Where agents are put that need a folder of their own."""


@dataclass(frozen=True, slots=True)
class JobAgent:
    """An agent as a job has it."""

    description: AgentDescription
    profile: RunProfile
    """Profile of its runs: variables, secrets, and the agent itself."""


class JobAgents:
    """Finds agents. `catalog` has the kinds that this server knows how to run."""

    def __init__(self, catalog: Mapping[str, AgentDescription]) -> None:
        self._catalog = catalog

    @property
    def kinds(self) -> Mapping[str, AgentDescription]:
        """The kinds by name."""
        return self._catalog

    def described(self, config: AgentConfig) -> AgentDescription | None:
        """How an agent that a job has is run; None if the catalog does not have it any more."""
        return self._catalog.get(config.name)

    async def find(self, session: AsyncSession, account_id: str, config: AgentConfig, at: str) -> JobAgent:
        """The agent of a configuration, which the request calls `at`.

        Raises:
            NotFound: There is no such agent, or no such secret.
            BadRequest: It cannot be run this way.
        """
        description = self._catalog.get(config.name)
        agent = await self._agent(session, account_id, config, description, at)
        if description is None:
            known = ", ".join(sorted(self._catalog))
            message = f"{at}.name: nothing says how agent {config.name} is run; this server can run {known}."
            raise BadRequest(message, field=f"{at}.name")
        _check_command(description, config, at)
        environment = config.agent_environment
        variables = dict((environment.environment_variables if environment else None) or {})
        injected = await _secret_names(session, account_id, (environment.secrets if environment else None) or {}, at)
        gateways = environment.gateways if environment else None
        if (missing := description.missing({*variables, *injected, *(gateways or {})})) is not None:
            raise BadRequest(f"{at}.agent_environment: {missing}.", field=f"{at}.agent_environment")
        own = {name: value for name, value in description.environment.items() if name not in injected}
        profile = RunProfile(
            env_vars={**own, **variables} or None,
            secrets=injected or None,
            gateways=gateways,
            mcp=environment.mcp if environment else None,
            mounts=None if agent is None else [_mount(agent)],
        )
        return JobAgent(description, profile)

    async def _agent(
        self,
        session: AsyncSession,
        account_id: str,
        config: AgentConfig,
        description: AgentDescription | None,
        at: str,
    ) -> Agent | None:
        """Agent to be installed; None for an agent that needs nothing but the box's own programs."""
        if config.agent_id is not None:
            agent = await service.get(session, account_id, config.agent_id, field=f"{at}.agent_id")
            return agent if agent.source is not None else None
        if description is None or description.install is not None:
            return await service.named(session, account_id, config.name, field=f"{at}.name")
        return None


def _check_command(description: AgentDescription, config: AgentConfig, at: str) -> None:
    for field, model, arguments in (("model_name", config.model_name, None), ("kwargs", None, config.kwargs)):
        try:
            command = description.command(_ANY_PATH, model, arguments)
        except ValueError as error:
            raise BadRequest(f"{at}.{field}: {error}.", field=f"{at}.{field}") from error
        if len(command.encode()) > MOST_COMMAND_BYTES:
            message = f"{at}.{field}: the agent's command has more than {MOST_COMMAND_BYTES:,} bytes with it."
            raise BadRequest(message, field=f"{at}.{field}")


async def _secret_names(session: AsyncSession, account_id: str, wanted: Mapping[str, str], at: str) -> dict[str, str]:
    """Variables to the names of the secrets in them, from variables to secrets' ids or names."""
    if wanted:
        require(Resource.ACCOUNT, Level.READ, "a secret that an agent gets", field=f"{at}.agent_environment.secrets")
    found: dict[str, str] = {}
    for variable, given in wanted.items():
        by_id = await SecretRepository(session).get_owned(given, account_id)
        secret = by_id or await SecretRepository(session).get_by_name(account_id, given)
        if secret is None:
            field = f"{at}.agent_environment.secrets.{variable}"
            raise NotFound(f"There is no secret {given}.", field=field)
        found[variable] = secret.name
    return found


def _mount(agent: Agent) -> AgentMount:
    source = None if agent.source is None else AgentSource.model_validate(agent.source)
    path = _AGENT_PATH if source is not None and source.needs_path else None
    return AgentMount(type="agent_mount", agent_id=agent.id, agent_name=None, agent_path=path)
