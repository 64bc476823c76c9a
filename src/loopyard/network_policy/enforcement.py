"""Carries network policies to the devboxes that name them."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from sqlalchemy.ext.asyncio import AsyncSession

from loopyard.kit.db.database import Database
from loopyard.kit.errors import BadRequest, Unavailable
from loopyard.network_policy.compilation import compiled
from loopyard.network_policy.models import NetworkPolicy
from loopyard.network_policy.repository import NetworkPolicyRepository
from loopyard.runtime import protocol
from loopyard.runtime.errors import RuntimeFault, SandboxNotFound, SandboxNotRunning
from loopyard.runtime.protocol import Runtime

_RULES = (
    "allowed_hostnames",
    "allowed_cidrs",
    "allow_devbox_to_devbox",
    "allow_runloop_mirrors",
    "allow_agent_gateway",
    "allow_mcp_gateway",
)
"""Fields of a policy that only rules for single hosts and networks can carry out."""

Listener = Callable[[Sequence[str], NetworkPolicy | None], Awaitable[None]]
"""Is given the devboxes that run under a policy, and the policy as it is stored now; None if it is gone."""

log = logging.getLogger("loopyard.network_policy")


class PolicyUsers(Protocol):
    """Devboxes as far as they name network policies."""

    async def ids_with_policy(self, session: AsyncSession, policy_id: str) -> Sequence[str]:
        """The devboxes of a network policy that are not in a final state."""
        ...

    async def policies_in_use(self, session: AsyncSession) -> Sequence[str]:
        """The network policies that devboxes name which are not in a final state."""
        ...


class Enforcement:
    """The store has each policy as it is to be; this makes the runtime have it so too."""

    def __init__(self, database: Database, runtime: Runtime, users: PolicyUsers) -> None:
        self.users = users
        self._database = database
        self._runtime = runtime
        self._turns: dict[str, asyncio.Lock] = {}
        self._listeners: list[Listener] = []

    def add_listener(self, listener: Listener) -> None:
        """Have `listener` called when a policy that devboxes run under has changed."""
        self._listeners.append(listener)

    def check(self, policy: NetworkPolicy, field: str | None = None) -> None:
        """See whether this server can have the policy in force at all.

        Raises:
            BadRequest: Its provider of sandboxes cannot; the error names `field`, or else the policy's own.
        """
        if self._runtime.features.network_rules or policy.allow_all:
            return
        if (rule := next((rule for rule in _RULES if getattr(policy, rule)), None)) is None:
            return
        message = (
            f"{field or rule}: the {self._runtime.name} provider of this server opens a devbox's network as a whole "
            f"(allow_all) or closes it; it cannot enforce {rule}. The crun provider can."
        )
        raise BadRequest(message, field=field or rule)

    async def check_stored(self, session: AsyncSession, policy_id: str, field: str) -> None:
        """The same for a policy that a request names; it may be from another provider's time."""
        if (policy := await NetworkPolicyRepository(session).get_by_id(policy_id)) is not None:
            self.check(policy, field)

    async def current(self, policy_id: str | None) -> protocol.NetworkPolicy | None:
        """A policy as the runtime takes it; None for none. One that is gone allows nothing."""
        if policy_id is None:
            return None
        async with self._database.read() as session:
            policy = await NetworkPolicyRepository(session).get_by_id(policy_id)
        return protocol.NetworkPolicy() if policy is None else compiled(policy)

    async def apply(self, policy_id: str) -> None:
        """Put a policy, as it is stored now, in force in all devboxes that name it.

        Raises:
            Unavailable: In some it is not in force.
        """
        async with self._turns.setdefault(policy_id, asyncio.Lock()):
            async with self._database.read() as session:
                devbox_ids = await self.users.ids_with_policy(session, policy_id)
                row = await NetworkPolicyRepository(session).get_by_id(policy_id)
            policy = protocol.NetworkPolicy() if row is None else compiled(row)
            for listener in self._listeners:
                await listener(devbox_ids, row)
            failed = [devbox_id for devbox_id in devbox_ids if not await self._set(devbox_id, policy)]
        if failed:
            message = (
                f"The network policy is stored, but not yet in force in {len(failed)} devboxes, such as {failed[0]}."
            )
            raise Unavailable(message)

    async def apply_to(self, devbox_id: str, policy_id: str | None) -> None:
        """After a devbox was made: put in force what its policy has become meanwhile.

        Raises:
            RuntimeFault: The runtime could not.
        """
        if policy_id is not None:
            async with self._turns.setdefault(policy_id, asyncio.Lock()):
                await self._runtime.set_network_policy(devbox_id, await self.current(policy_id))

    async def reconcile(self) -> None:
        """At start: put in force what was decided and perhaps not carried out any more."""
        async with self._database.read() as session:
            in_use = await self.users.policies_in_use(session)
        for policy_id in in_use:
            try:
                await self.apply(policy_id)
            except Unavailable as fault:
                log.error("%s", fault.message)  # noqa: TRY400  (the runtime's own message was logged)

    async def _set(self, devbox_id: str, policy: protocol.NetworkPolicy | None) -> bool:
        try:
            await self._runtime.set_network_policy(devbox_id, policy)
        except (SandboxNotFound, SandboxNotRunning):
            return True  # it is given the policy when it is made or resumed
        except RuntimeFault:
            log.exception("the network policy of devbox %s could not be changed", devbox_id)
            return False
        return True
