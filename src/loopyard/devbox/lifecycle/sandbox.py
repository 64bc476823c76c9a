"""Makes the sandboxes of devboxes: new ones, and those of suspended devboxes that are resumed."""

import asyncio
import logging
import os

from loopyard.devbox.lifecycle.setup import LaunchFailed
from loopyard.devbox.lifecycle.states import Status
from loopyard.devbox.log.events import Events
from loopyard.devbox.models import Devbox
from loopyard.devbox.mounts.agents import AgentMounts
from loopyard.kit.errors import LoopyardError
from loopyard.kit.host.failpoint import failpoint
from loopyard.launch.parameters import LaunchParameters
from loopyard.network_policy.enforcement import Enforcement
from loopyard.runtime.errors import RuntimeFault
from loopyard.runtime.protocol import Runtime, SandboxSpec, ServiceSpec
from loopyard.runtime.retry import create_with_retries
from loopyard.secret.service import SecretService
from loopyard.upstream_proxy.grants import Grants

log = logging.getLogger("loopyard.devbox")

CREATES_AT_ONCE = 4 * (os.cpu_count() or 1)
"""How many sandboxes are being made at the same time. More would only make each of them slower."""


class SandboxMaker:
    """Makes sandboxes. All of it can be repeated after a crash."""

    def __init__(
        self,
        runtime: Runtime,
        policies: Enforcement,
        secrets: SecretService,
        events: Events,
        agents: AgentMounts,
        grants: Grants,
    ) -> None:
        self._runtime = runtime
        self._policies = policies
        self._secrets = secrets
        self._events = events
        self._agents = agents
        self._grants = grants
        self._slots = asyncio.Semaphore(CREATES_AT_ONCE)

    async def make(self, devbox: Devbox) -> None:
        """Make the devbox's sandbox, or start it again on its disk.

        Raises:
            LaunchFailed: The host could not.
        """
        failpoint("devbox.resuming" if devbox.status == Status.RESUMING else "devbox.provisioning")
        launch = LaunchParameters.model_validate(devbox.launch_parameters)
        secrets = await self._values(devbox)
        tokens = await self._grants.variables(devbox.id) if devbox.has_grants else {}
        try:
            async with self._slots:
                policy = await self._policies.current(launch.network_policy_id)
                spec = SandboxSpec(
                    id=devbox.id,
                    image=devbox.blueprint_id,
                    snapshot=self._agents.layer_of(devbox.id) or devbox.snapshot_id,
                    limits=launch.limits,
                    user=launch.user,
                    environment={**devbox.environment_variables, **secrets, **tokens},
                    network_policy=policy,
                    services=tuple(ServiceSpec(**service) for service in devbox.services or ()),
                )
                await create_with_retries(self._runtime, spec, what=f"making devbox {spec.id}")
            await self._policies.apply_to(devbox.id, launch.network_policy_id)
        except RuntimeFault as fault:
            log.warning("devbox %s could not be made: %s", devbox.id, fault)
            raise LaunchFailed("health_check_failed", str(fault)) from fault
        failpoint("devbox.created")

    async def _values(self, devbox: Devbox) -> dict[str, str]:
        """The secrets' values. A devbox that is resumed does without those that were deleted meanwhile; its disk is
        worth more."""
        try:
            values, missing = await self._secrets.values(devbox.account_id, devbox.secrets)
        except LoopyardError as error:
            raise LaunchFailed("health_check_failed", error.message) from error
        if not missing:
            return values
        message = f"There is no secret named {', '.join(missing)} any more."
        if devbox.status != Status.RESUMING:
            raise LaunchFailed("execution_failed", message)
        self._events.note(devbox.id, "setup_commands", message, level="warning")
        return values
