"""Puts agents into devboxes: a devbox with agents starts from a layer on which they are installed already."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy.ext.asyncio import AsyncSession

from loopyard.agent import service
from loopyard.agent.layer.installer import InstallFailed
from loopyard.agent.layer.layers import Layers
from loopyard.agent.layer.wanted import AgentBase, WantedAgent
from loopyard.agent.models import Agent, DevboxAgent
from loopyard.agent.repository import AgentRepository
from loopyard.agent.source import AgentSource
from loopyard.auth.acting import require
from loopyard.devbox.lifecycle.setup import LaunchFailed
from loopyard.devbox.log.events import Events
from loopyard.devbox.models import Devbox
from loopyard.devbox.mounts.references import readable_object
from loopyard.identity.scopes import Level, Resource
from loopyard.kit.db.database import Database
from loopyard.kit.errors import BadRequest, LoopyardError
from loopyard.launch.mounts import AgentMount, Mount
from loopyard.launch.parameters import LaunchParameters
from loopyard.runtime.images import NamesImages
from loopyard.runtime.protocol import Runtime
from loopyard.secret.held import HeldTokens

MOST_AGENTS = 32
"""How many agents one devbox may have."""


@dataclass(frozen=True, slots=True)
class MountedAgent:
    """An agent mount that was found to be possible."""

    agent: Agent
    path: str | None
    content_type: str | None
    token: str | None = field(repr=False)


def _token_place(position: int) -> str:
    """Key under which the token of an agent mount is held."""
    return f"agent.{position}"


async def find_agents(session: AsyncSession, account_id: str, mounts: Sequence[Mount] | None) -> list[MountedAgent]:
    """The agents to put in, in order.

    Raises:
        Forbidden: The caller's key may not read agents.
        BadRequest: A mount names no agent, or lacks the path that its agent needs, or there are too many.
        NotFound: An agent, or the object it comes from, is not there.
        WrongState: The object it comes from is not complete.
    """
    found: list[MountedAgent] = []
    for index, mount in enumerate(mounts or ()):
        if isinstance(mount, AgentMount):
            require(Resource.AGENTS, Level.READ, "an agent that is mounted", field=f"mounts.{index}.agent_id")
            found.append(await _find(session, account_id, mount, f"mounts.{index}"))
    if len(found) > MOST_AGENTS:
        raise BadRequest(f"mounts: a devbox may have at most {MOST_AGENTS} agents.", field="mounts")
    return found


async def _find(session: AsyncSession, account_id: str, mount: AgentMount, field: str) -> MountedAgent:
    if mount.agent_id is not None:
        agent = await service.get(session, account_id, mount.agent_id, field=f"{field}.agent_id")
    elif mount.agent_name is not None:
        agent = await service.named(session, account_id, mount.agent_name, field=f"{field}.agent_name")
    else:
        raise BadRequest(f"{field}.agent_id: give agent_id or agent_name.", field=f"{field}.agent_id")
    if agent.source is None:
        at = f"{field}.agent_id" if mount.agent_id is not None else f"{field}.agent_name"
        raise BadRequest(f"{at}: agent {agent.id} has no source, so there is nothing to install.", field=at)
    source = AgentSource.model_validate(agent.source)
    if source.needs_path and mount.agent_path is None:
        at = f"{field}.agent_path"
        raise BadRequest(f"{at}: an agent from {source.type} needs it, such as /home/user/agent.", field=at)
    content_type = None
    if source.object is not None:
        row = await readable_object(session, account_id, source.object.object_id, f"{field}.agent_id")
        content_type = row.content_type
    return MountedAgent(agent, mount.agent_path, content_type, mount.auth_token if source.git is not None else None)


async def add_agents(
    session: AsyncSession, tokens: HeldTokens, devbox: Devbox, mounted: Sequence[MountedAgent]
) -> None:
    """Write down with a new devbox which agents it has."""
    rows = [
        DevboxAgent(
            devbox_id=devbox.id,
            position=position,
            account_id=devbox.account_id,
            agent_id=one.agent.id,
            name=one.agent.name,
            name_digest=one.agent.name_digest,
            version=one.agent.version,
            source=one.agent.source,
            agent_path=one.path,
            content_type=one.content_type,
        )
        for position, one in enumerate(mounted)
    ]
    await AgentRepository(session).add_to_devbox(rows)
    held = {_token_place(position): one.token for position, one in enumerate(mounted) if one.token}
    await tokens.hold(session, devbox.id, held)


class AgentMounts:
    """The layers that devboxes which are being made start from."""

    def __init__(
        self, database: Database, runtime: Runtime, layers: Layers, tokens: HeldTokens, events: Events
    ) -> None:
        self._database = database
        self._runtime = runtime
        self._layers = layers
        self._tokens = tokens
        self._events = events
        self._layer_of: dict[str, str] = {}

    async def prepare(self, devbox: Devbox) -> None:
        """Have the devbox's agents installed. Until `release` the layer with them is kept, and known as `layer_of`.

        Raises:
            LaunchFailed: An agent could not be installed.
        """
        try:
            agents = await self._wanted(devbox)
            layer_id, told = await self._layers.obtain(self._ground(devbox), agents)
        except InstallFailed as failure:
            if failure.log:
                self._events.note(devbox.id, "setup_commands", failure.log, level="error", once="agents.log")
            raise LaunchFailed(failure.reason, str(failure)) from failure
        except LoopyardError as error:
            raise LaunchFailed("health_check_failed", error.message) from error
        self._layer_of[devbox.id] = layer_id
        for position, message in enumerate(told):
            self._events.note(devbox.id, "setup_commands", message, once=f"agent.{position}")

    def layer_of(self, devbox_id: str) -> str | None:
        """The layer that was prepared for a devbox."""
        return self._layer_of.get(devbox_id)

    def release(self, devbox_id: str) -> None:
        """The devbox does not need its layer any more, or is not made."""
        layer_id = self._layer_of.pop(devbox_id, None)
        if layer_id is not None:
            self._layers.release(layer_id)

    async def _wanted(self, devbox: Devbox) -> list[WantedAgent]:
        async with self._database.read() as session:
            rows = await AgentRepository(session).list_of_devbox(devbox.id)
            tokens = await self._tokens.opened(session, devbox.id)
        return [
            WantedAgent(
                agent_id=row.agent_id,
                name=row.name,
                version=row.version,
                source=AgentSource.model_validate(row.source),
                path=row.agent_path,
                content_type=row.content_type,
                token=tokens.get(_token_place(row.position)),
            )
            for row in rows
        ]

    def _ground(self, devbox: Devbox) -> AgentBase:
        image = devbox.blueprint_id
        version = self._runtime.image_version(image) if isinstance(self._runtime, NamesImages) else image or "base"
        user = LaunchParameters.model_validate(devbox.launch_parameters).user
        return AgentBase(devbox.account_id, image, version, devbox.snapshot_id, user)
