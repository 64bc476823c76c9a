"""Installs an agent in a sandbox of its own and keeps the disk.

The variables, the secrets and the network policy of the devbox that wants the agent are not there.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Literal

from loopyard.agent.config import AgentConfig
from loopyard.agent.layer.steps import CONTENT, Step, steps_of
from loopyard.agent.layer.wanted import AgentBase, WantedAgent
from loopyard.kit.background.tasks import Tasks
from loopyard.kit.errors import Unavailable
from loopyard.kit.host.failpoint import failpoint
from loopyard.kit.host.linux import KILLED, SEARCH_PATH
from loopyard.kit.ids import new_id
from loopyard.object.store import ContentMissing, ObjectStore
from loopyard.runtime.errors import NoSpaceLeft, RuntimeFault
from loopyard.runtime.output import tail
from loopyard.runtime.protocol import ROOT, CommandResult, CommandSpec, Runtime, SandboxSpec
from loopyard.runtime.retry import create_with_retries, retry_while_stuck

BUILDER = "agb"
"""The prefix of the ids of sandboxes in which agents are installed. The store does not know them, so that those which a
crash leaves are removed at the next start."""

_SHOWN_LINES = 20
_LOGGED_BYTES = 64 * 1024
_HIDDEN = "[hidden]"

InstallFailureReason = Literal["out_of_memory", "out_of_disk", "execution_failed", "health_check_failed"]
"""Reasons for which an agent cannot be installed: the ones that its devbox then fails with."""


class InstallFailed(Exception):
    """The agent could not be installed; the message says why, and `log` holds the end of what was run."""

    def __init__(self, reason: InstallFailureReason, message: str, log: str = "") -> None:
        super().__init__(message)
        self.reason: InstallFailureReason = reason
        self.log = log


@dataclass(frozen=True, slots=True)
class Installed:
    """Facts of an installed layer: its size in bytes (None where the runtime cannot tell), and how long it took to
    make."""

    size_bytes: int | None
    seconds: float


class Installer:
    def __init__(self, runtime: Runtime, store: ObjectStore, config: AgentConfig, tasks: Tasks) -> None:
        self._runtime = runtime
        self._store = store
        self._config = config
        self._tasks = tasks

    async def install(self, layer_id: str, ground: AgentBase, below: str | None, agent: WantedAgent) -> Installed:
        """Install an agent on a ground, or on the layer `below` on it, and keep the disk under the layer's id.

        Raises:
            InstallFailed: It could not be installed; nothing is left.
        """
        begun = time.monotonic()
        box = new_id(BUILDER)
        try:
            await self._make(box, ground, below)
            async with asyncio.timeout(self._config.timeout_seconds):
                await self._carry_out(box, ground, agent)
            failpoint("agent.installed")
            size = await self._runtime.snapshot(box, layer_id)
        except TimeoutError:
            message = f"Installing agent {agent.title} took longer than {self._config.timeout_seconds:g} s."
            raise InstallFailed("execution_failed", message) from None
        except NoSpaceLeft as fault:
            raise InstallFailed("out_of_disk", f"Agent {agent.title} does not fit: {fault}") from fault
        except (RuntimeFault, Unavailable) as fault:
            raise InstallFailed(
                "health_check_failed", f"Agent {agent.title} could not be installed: {fault}"
            ) from fault
        finally:
            self._tasks.start(f"clear {box}", self._clear(box))  # nobody has to wait for it
        return Installed(size, time.monotonic() - begun)

    async def _make(self, box: str, ground: AgentBase, below: str | None) -> None:
        snapshot = below or ground.snapshot
        spec = SandboxSpec(box, ground.image, snapshot, self._config.limits, ground.user, hostname="agent")
        await create_with_retries(self._runtime, spec, what=f"making {box}")

    async def _clear(self, box: str) -> None:
        await retry_while_stuck(lambda: self._runtime.destroy(box))
        await self._runtime.forget(box)

    async def _carry_out(self, box: str, ground: AgentBase, agent: WantedAgent) -> None:
        if agent.source.object is not None:
            await self._runtime.write_file(
                box, CONTENT, self._content(agent.source.object.object_id), user=ROOT, mode=0o644
            )
        log: list[str] = []
        for number, step in enumerate(steps_of(agent, ground.user)):
            result = await self._run(box, f"step.{number}", step)
            said = await self._said(box, f"step.{number}", agent)
            log.append(f"$ {step.shown}\n{said}".rstrip())
            if result.exit_status != 0:
                raise await self._failure(box, agent, step, result, said, "\n".join(log))

    async def _run(self, box: str, name: str, step: Step) -> CommandResult:
        spec = CommandSpec(
            id=name,
            argv=step.argv,
            cwd=step.cwd,
            user=step.user,
            environment={"PATH": f"{step.extra_path}:{SEARCH_PATH}"} if step.extra_path else {},
            attach_stdin=step.first_line is not None,
            timeout_seconds=self._config.timeout_seconds,
        )
        await self._runtime.start_command(box, spec)
        if step.first_line is not None:
            with contextlib.suppress(RuntimeFault):  # it may have ended already, as where there is no Bash
                await self._runtime.write_stdin(box, name, f"{step.first_line}\n".encode(), eof=True)
        return await self._runtime.wait_command(box, name)

    async def _said(self, box: str, name: str, agent: WantedAgent) -> str:
        """The end of what a step wrote, its token hidden wherever a program should have told it."""
        parts = [await tail(self._runtime, box, name, stream, None, _LOGGED_BYTES) for stream in ("stdout", "stderr")]
        text = "\n".join(part.text.strip("\n") for part in parts if part.text.strip())
        return text.replace(agent.token, _HIDDEN) if agent.token else text

    async def _failure(
        self, box: str, agent: WantedAgent, step: Step, result: CommandResult, said: str, log: str
    ) -> InstallFailed:
        title = f"Agent {agent.title} could not be installed"
        if result.exit_status == KILLED and (await self._runtime.status(box)).out_of_memory:
            return InstallFailed("out_of_memory", f"{title}: all its memory was used by: {step.shown}", log)
        if result.lost:
            return InstallFailed("health_check_failed", f"{title}: its sandbox went down under: {step.shown}", log)
        ended = "took too long" if result.timed_out else f"exited with {result.exit_status}"
        shown = "\n".join(said.splitlines()[-_SHOWN_LINES:])
        return InstallFailed("execution_failed", f"{title}. This {ended}: {step.shown}\n{shown}".rstrip(), log)

    async def _content(self, object_id: str) -> AsyncIterator[bytes]:
        try:
            async for chunk in self._store.read(object_id):
                yield chunk
        except ContentMissing:
            raise Unavailable(f"object {object_id} was deleted.") from None
        except OSError as error:
            raise Unavailable(f"object {object_id} cannot be read: {error.strerror}.") from error
