"""Decides about devboxes. What it decides is written by the caller's transaction and acted on after its commit."""

import platform
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncSession

from loopyard.devbox import repository
from loopyard.devbox.endings import Endings
from loopyard.devbox.launch_parameters import LaunchParameters
from loopyard.devbox.lifecycle import Lifecycle
from loopyard.devbox.models import Devbox
from loopyard.devbox.mounts import files_of
from loopyard.devbox.schemas import DevboxCreateParams, DevboxUpdateParams, InitiatorType
from loopyard.devbox.states import FINAL, STARTING, Status, transition
from loopyard.devbox.tunnel import service as tunnels
from loopyard.kit.clock import now_ms
from loopyard.kit.db import after_commit
from loopyard.kit.errors import BadRequest, Busy, NotFound, WrongState
from loopyard.kit.ids import new_id
from loopyard.network_policy import repository as policies

_NOT_YET = ("entrypoint", "gateways", "mcp", "code_mounts")
_NOT_YET_AT_LAUNCH = ("required_services",)


@dataclass(frozen=True, slots=True)
class Initiator:
    """Who had a devbox made: a caller of the API, or a scenario run."""

    type: InitiatorType = "api"
    id: str | None = None


class DevboxService:
    def __init__(self, lifecycle: Lifecycle, endings: Endings) -> None:
        self._lifecycle = lifecycle
        self._endings = endings

    async def create(
        self,
        session: AsyncSession,
        account_id: str,
        params: DevboxCreateParams,
        *,
        devbox_id: str | None = None,
        initiator: Initiator | None = None,
        working_directory: str | None = None,
    ) -> Devbox:
        """Decide on a new devbox; it is made once the transaction is committed. An absolute `working_directory` is made
        in it if it is not there.

        Raises:
            BadRequest: Something asked for is not valid or not offered here.
            NotFound: The blueprint, snapshot or policy named does not exist.
        """
        launch = params.launch_parameters or LaunchParameters()
        check_offered(params, launch)
        await check_policy(session, account_id, launch)
        initiator = initiator or Initiator()
        now = now_ms()
        idle, keep_alive = launch.idle_policy, launch.keep_alive_seconds
        devbox = Devbox(
            id=devbox_id or new_id("dbx"),
            account_id=account_id,
            name=params.name,
            status=Status.PROVISIONING,
            metadata_=params.metadata or {},
            environment_variables=params.environment_variables or {},
            launch_parameters=launch.model_dump(mode="json", exclude_none=True),
            file_mounts=files_of(params.file_mounts, params.mounts),
            working_directory=working_directory,
            state_transitions=[transition(Status.QUEUED, now), transition(Status.PROVISIONING, now)],
            initiator_type=initiator.type,
            initiator_id=initiator.id,
            create_time_ms=now,
            expires_at_ms=None if keep_alive is None else now + keep_alive * 1000,
            idle_after_ms=None if idle is None else idle.idle_time_seconds * 1000,
            active_at_ms=now,
            reclaimed=False,
        )
        if params.tunnel is not None:
            tunnels.give(devbox, params.tunnel)
        session.add(devbox)
        await session.flush()
        after_commit(session, lambda: self._lifecycle.begin(devbox.id))
        return devbox

    async def get(self, session: AsyncSession, account_id: str, devbox_id: str) -> Devbox:
        """A devbox of the account.

        Raises:
            NotFound: It has none of this id.
        """
        devbox = await repository.get(session, devbox_id, account_id)
        if devbox is None:
            raise NotFound(f"There is no devbox {devbox_id}.", field="id")
        return devbox

    async def get_running(self, session: AsyncSession, account_id: str, devbox_id: str) -> Devbox:
        """A devbox of the account that can be used now.

        Raises:
            NotFound: It has none of this id.
            Busy: It is still being made.
            WrongState: It has ended, or is suspended.
        """
        devbox = await self.get(session, account_id, devbox_id)
        if devbox.status in STARTING:
            raise Busy(f"Devbox {devbox_id} is {devbox.status}; wait until it is running.")
        if devbox.status != Status.RUNNING:
            raise WrongState(f"Devbox {devbox_id} is {devbox.status}, not running.")
        return devbox

    async def update(
        self, session: AsyncSession, account_id: str, devbox_id: str, params: DevboxUpdateParams
    ) -> Devbox:
        """Change the name or metadata; what is not given stays.

        Raises:
            NotFound: It has none of this id.
        """
        devbox = await self.get(session, account_id, devbox_id)
        if params.name is not None:
            devbox.name = params.name
        if params.metadata is not None:
            devbox.metadata_ = params.metadata
        await session.flush()
        return devbox

    async def shut_down(self, session: AsyncSession, account_id: str, devbox_id: str) -> Devbox:
        """End a devbox; one that has ended stays as it is.

        Raises:
            NotFound: It has none of this id.
        """
        await self.get(session, account_id, devbox_id)
        devbox = await repository.lock(session, devbox_id)
        if devbox is None:
            raise NotFound(f"There is no devbox {devbox_id}.", field="id")
        if devbox.status not in FINAL:
            await self._endings.shut_down(session, devbox, "api_shutdown")
        return devbox


async def check_policy(session: AsyncSession, account_id: str, launch: LaunchParameters) -> None:
    """See that the network policy that is named is there, and keep it there until the transaction ends.

    Raises:
        NotFound: The account has none of this id.
    """
    policy_id = launch.network_policy_id
    if policy_id is not None and await policies.lock(session, policy_id, account_id) is None:
        message = f"There is no network policy {policy_id}."
        raise NotFound(message, field="launch_parameters.network_policy_id")


def check_offered(params: DevboxCreateParams, launch: LaunchParameters) -> None:
    """Refuse what this server cannot give, rather than make a devbox that is not what was asked for.

    Raises:
        BadRequest: Something is not offered here; the error names it.
        NotFound: The blueprint, snapshot or policy named does not exist.
    """
    for field in _NOT_YET:
        if getattr(params, field):
            raise BadRequest(f"{field}: this server does not offer it yet; leave it out.", field=field)
    if params.blueprint_id is not None or params.blueprint_name is not None:
        field = "blueprint_id" if params.blueprint_id is not None else "blueprint_name"
        raise NotFound(f"There is no blueprint {params.blueprint_id or params.blueprint_name}.", field=field)
    if params.snapshot_id is not None:
        raise NotFound(f"There is no snapshot {params.snapshot_id}.", field="snapshot_id")
    for name in (params.secrets or {}).values():
        raise BadRequest(f"secrets: there is no secret named {name}.", field="secrets")
    for name in _NOT_YET_AT_LAUNCH:
        if getattr(launch, name):
            field = f"launch_parameters.{name}"
            raise BadRequest(f"{field}: this server does not offer it yet; leave it out.", field=field)
    if launch.idle_policy is not None and launch.idle_policy.on_idle == "suspend":
        field = "launch_parameters.lifecycle.after_idle.on_idle"
        raise BadRequest(f"{field}: this server does not suspend devboxes yet; use shutdown.", field=field)
    machine = {"x86_64": "x86_64", "arm64": "aarch64"}
    if launch.architecture is not None and machine[launch.architecture] != platform.machine():
        field = "launch_parameters.architecture"
        raise BadRequest(f"{field}: this host is {platform.machine()}.", field=field)
