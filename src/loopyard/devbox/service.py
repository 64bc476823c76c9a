"""Decides about devboxes. What it decides is written by the caller's transaction and acted on after its commit."""

from dataclasses import asdict, dataclass

from sqlalchemy.ext.asyncio import AsyncSession

from loopyard.devbox.create.plan import plan_devbox
from loopyard.devbox.create.quota import DevboxQuota
from loopyard.devbox.lifecycle.companions import Companions
from loopyard.devbox.lifecycle.lifecycle import Lifecycle
from loopyard.devbox.lifecycle.shutdown import Endings
from loopyard.devbox.lifecycle.states import COMING_UP, FINAL, Status, transition
from loopyard.devbox.lifecycle.transitions import resume, suspend
from loopyard.devbox.models import Devbox
from loopyard.devbox.mounts.agents import add_agents
from loopyard.devbox.repository import DevboxRepository
from loopyard.devbox.schemas import DevboxCreateParams, DevboxUpdateParams, InitiatorType
from loopyard.devbox.tunnel import service as tunnels
from loopyard.kit.clock import now_ms
from loopyard.kit.db.database import after_commit
from loopyard.kit.errors import Busy, WrongState
from loopyard.kit.ids import new_id
from loopyard.launch.code_host import token_place
from loopyard.launch.mounts import CodeMountParameters
from loopyard.launch.parameters import LaunchParameters
from loopyard.network_policy.enforcement import Enforcement
from loopyard.secret.held import HeldTokens
from loopyard.snapshot.repository import SnapshotRepository
from loopyard.upstream_proxy.grants import Grants


@dataclass(frozen=True, slots=True)
class Initiator:
    """Initiator of a devbox: a caller of the API, or a scenario run."""

    type: InitiatorType = "api"
    id: str | None = None


class DevboxService:
    def __init__(
        self,
        lifecycle: Lifecycle,
        companions: Companions,
        endings: Endings,
        tokens: HeldTokens,
        policies: Enforcement,
        grants: Grants,
        quota: DevboxQuota,
    ) -> None:
        self._lifecycle = lifecycle
        self._companions = companions
        self._grants = grants
        self._tokens = tokens
        self._endings = endings
        self._policies = policies
        self._quota = quota

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
            BadRequest: Something asked for is not valid or not offered here, or there is no such secret.
            NotFound: The blueprint, snapshot, policy or object named does not exist.
            Busy, WrongState: The snapshot or object named is not complete yet, or never will be.
            Forbidden: The caller's key may not use something that is named.
            LimitReached: The account has as many devboxes, or as large ones, as it may have.
        """
        plan = await plan_devbox(session, account_id, params)
        origin, launch, calls = plan.origin, plan.origin.launch, plan.calls
        if launch.network_policy_id is not None:
            await self._policies.check_stored(session, launch.network_policy_id, "launch_parameters.network_policy_id")
        if calls.wanted:
            self._grants.check_offered("gateways" if calls.gateway_specs else "mcp")
        await self._quota.admit(session, account_id, launch.limits)
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
            launch_parameters=launch.model_dump(mode="json", exclude_none=True, exclude={"gateways", "mcp"}),
            file_mounts=plan.files,
            code_mounts=_dump(plan.repositories),
            object_mounts=[asdict(mount) for mount in plan.objects] or None,
            has_agents=bool(plan.agents),
            secrets=plan.secrets,
            gateway_specs=calls.gateway_specs,
            mcp_specs=calls.mcp_specs,
            has_grants=bool(calls.wanted),
            entrypoint=params.entrypoint or None,
            snapshot_id=origin.snapshot_id,
            blueprint_id=origin.blueprint_id,
            image=origin.image,
            services=origin.services,
            starts=0,
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
        await DevboxRepository(session).create(devbox)
        await self._companions.bind(session, devbox, params.mounts)
        tokens = {token_place(at): one.token for at, one in enumerate(plan.repositories) if one.token}
        await self._tokens.hold(session, devbox.id, tokens)
        if calls.wanted:
            await self._grants.give(session, account_id, devbox.id, calls.wanted)
        if plan.agents:
            await add_agents(session, self._tokens, devbox, plan.agents)
        after_commit(session, lambda: self._lifecycle.begin(devbox.id, devbox))
        return devbox

    async def get(self, session: AsyncSession, account_id: str, devbox_id: str) -> Devbox:
        """A devbox of the account.

        Raises:
            NotFound: It has none of this id.
        """
        return await DevboxRepository(session).get_one_owned(devbox_id, account_id)

    async def get_running(self, session: AsyncSession, account_id: str, devbox_id: str) -> Devbox:
        """A devbox of the account that can be used now.

        Raises:
            NotFound: It has none of this id.
            Busy: It is still being made.
            WrongState: It has ended, or is suspended.
        """
        devbox = await self.get(session, account_id, devbox_id)
        _check_running(devbox_id, devbox.status)
        return devbox

    async def lock_running(self, session: AsyncSession, account_id: str, devbox_id: str) -> Devbox:
        """The same, kept from others' changes until the transaction ends.

        Raises:
            NotFound, Busy, WrongState: As `get_running`.
        """
        devbox = await DevboxRepository(session).get_one_owned_for_update(devbox_id, account_id)
        _check_running(devbox_id, devbox.status)
        return devbox

    async def check(self, session: AsyncSession, account_id: str, devbox_id: str, *, running: bool = True) -> None:
        """See that the account has this devbox, and that it can be used now. Cheaper than reading it.

        Raises:
            NotFound, Busy, WrongState: As `get_running`; without `running`, NotFound only.
        """
        status = await DevboxRepository(session).status(devbox_id, account_id)
        if status is None:
            raise DevboxRepository(session).not_found(devbox_id)
        if running:
            _check_running(devbox_id, status)

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
        return await DevboxRepository(session).update(devbox)

    async def shut_down(self, session: AsyncSession, account_id: str, devbox_id: str, *, force: bool = False) -> Devbox:
        """End a devbox; one that has ended stays as it is.

        Raises:
            NotFound: It has none of this id.
            Busy: A snapshot of it is being taken, and it is not to be ended by force.
        """
        devbox = await DevboxRepository(session).get_one_owned_for_update(devbox_id, account_id)
        if devbox.status in FINAL:
            return devbox
        if not force and await SnapshotRepository(session).is_being_taken(devbox_id):
            raise Busy(f"A snapshot of devbox {devbox_id} is being taken; wait for it, or give force=true.")
        await self._endings.shut_down(session, devbox, "api_shutdown")
        return devbox

    async def suspend(self, session: AsyncSession, account_id: str, devbox_id: str) -> Devbox:
        """Decide to suspend a devbox; one that is suspended, or is being suspended, stays as it is.

        Raises:
            NotFound: It has none of this id.
            Busy: It is just coming up.
            WrongState: It has ended.
        """
        devbox = await DevboxRepository(session).get_one_owned_for_update(devbox_id, account_id)
        if devbox.status in COMING_UP:
            raise Busy(f"Devbox {devbox_id} is {devbox.status}; wait until it is running.")
        if devbox.status not in (Status.SUSPENDING, Status.SUSPENDED):
            suspend(session, devbox, self._lifecycle.begin)
        return devbox

    async def resume(self, session: AsyncSession, account_id: str, devbox_id: str) -> Devbox:
        """Decide to resume a suspended devbox; one that is coming up or runs stays as it is.

        Raises:
            NotFound: It has none of this id.
            Busy: It is just being suspended.
            LimitReached: The account has as many running devboxes, or as large ones, as it may have.
            WrongState: It has ended.
        """
        devbox = await DevboxRepository(session).get_one_owned_for_update(devbox_id, account_id)
        if devbox.status == Status.SUSPENDING:
            raise Busy(f"Devbox {devbox_id} is being suspended; wait until it is suspended.")
        if devbox.status == Status.RUNNING or devbox.status in COMING_UP:
            return devbox
        launch = LaunchParameters.model_validate(devbox.launch_parameters)
        await self._quota.admit(session, account_id, launch.limits, sleeping=True)
        resume(session, devbox, self._lifecycle.begin)
        return devbox

    async def keep_alive(self, session: AsyncSession, account_id: str, devbox_id: str) -> None:
        """Let the time of a running devbox, until it is ended or counts as idle, begin anew.

        Raises:
            NotFound: It has none of this id.
            Busy: It is just coming up.
            WrongState: It does not run.
        """
        await self.get_running(session, account_id, devbox_id)
        devbox = await DevboxRepository(session).get_one_owned_for_update(devbox_id, account_id)
        now = now_ms()
        devbox.active_at_ms = now
        keep_alive = LaunchParameters.model_validate(devbox.launch_parameters).keep_alive_seconds
        if keep_alive is not None:
            devbox.expires_at_ms = now + keep_alive * 1000


def _check_running(devbox_id: str, status: str) -> None:
    if status in COMING_UP:
        raise Busy(f"Devbox {devbox_id} is {status}; wait until it is running.")
    if status != Status.RUNNING:
        raise WrongState(f"Devbox {devbox_id} is {status}, not running.")


def _dump(mounts: list[CodeMountParameters]) -> list[dict[str, str]] | None:
    wanted = set(CodeMountParameters.model_fields) - {"token"}
    return [mount.model_dump(exclude_none=True, include=wanted) for mount in mounts] or None
