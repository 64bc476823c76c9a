"""The server's end of the sandboxes' way out.

What decides on it is a process of its own: what sandboxes send that way, and how much, is not the server's to carry. It
ends with the server; the rules stay in force.
"""

import asyncio
import itertools
import json
import logging
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pydantic import TypeAdapter

from loopyard.runtime.crun.egress.nft import RulesRefused
from loopyard.runtime.crun.host.instance import Instance
from loopyard.runtime.protocol import NetworkPolicy

log = logging.getLogger("loopyard.runtime.network")

POLICY = TypeAdapter[NetworkPolicy | None](NetworkPolicy | None)
LINE_BYTES = 1 << 30
"""The longest message: a policy may have some 300 KB, and the first message has those of all sandboxes."""

_LOST = "what decides on the sandboxes' way out was killed"
_START_SECONDS = 60.0
_PAUSE_SECONDS = 1.0


class EgressClient:
    """Open it before anything runs, and close it last. Closing leaves the rules in force: then there are no names."""

    def __init__(
        self,
        instance: Instance,
        mirrors: Sequence[str],
        host_ports: Sequence[int],
        gateway: int,
        *,
        open_seconds: float,
        refused: Callable[[str, str], None],
    ) -> None:
        """`mirrors` are the names that a policy's `mirrors` opens, `host_ports` the TCP ports of this host that
        sandboxes may reach, at their gateway's address. `gateway` is the port that the agent gateway listens on.
        `open_seconds` is how long an address that a name opened stays open at least after its last use. `refused` is
        called with a sandbox's address and a message, when something was refused by name."""
        self._refused = refused
        self._told = {
            "block": instance.block,
            "network": instance.network,
            "mirrors": list(mirrors),
            "host_ports": list(host_ports),
            "gateway": gateway,
            "open_seconds": open_seconds,
            "log_level": logging.getLogger().getEffectiveLevel(),
        }
        self._policies: dict[int, NetworkPolicy] = {}
        """Policies in force; sandboxes without one are not in it."""
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[str | None]] = {}
        self._process: subprocess.Popen[bytes] | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._ready = asyncio.Event()
        self._keeping: asyncio.Task[None] | None = None

    async def open(self, policies: Mapping[int, NetworkPolicy | None]) -> None:
        """Put the policies of the sandboxes that run in force, by slot, in place of all that was before.

        Raises:
            RulesRefused: This host cannot do it; the message says why.
        """
        self._policies = {slot: policy for slot, policy in policies.items() if policy is not None}
        reader = await self._start()
        self._keeping = asyncio.create_task(self._keep(reader))

    async def apply(self, slot: int, policy: NetworkPolicy | None) -> None:
        """Put a policy in force for the sandbox in a slot. None, for one that has none, costs nothing.

        Raises:
            RulesRefused: The kernel did not take it; what was in force still is.
        """
        before = self._policies.get(slot)
        if policy is None and before is None:
            return
        self._decide(slot, policy)
        while (fault := await self._change(slot, policy)) is _LOST:
            pass  # the next process begins with what was decided; to say it once more does no harm
        if fault is not None:
            self._decide(slot, before)
            raise RulesRefused(fault)

    def _decide(self, slot: int, policy: NetworkPolicy | None) -> None:
        if policy is None:
            self._policies.pop(slot, None)
        else:
            self._policies[slot] = policy

    async def _change(self, slot: int, policy: NetworkPolicy | None) -> str | None:
        """Why it was refused; None if it was not, and `_LOST` if nobody knows."""
        try:
            async with asyncio.timeout(_START_SECONDS):
                await self._ready.wait()
        except TimeoutError:
            return "what decides on the sandboxes' way out does not start"
        number = next(self._numbers)
        answer = self._waiting[number] = asyncio.get_running_loop().create_future()
        self._send({"number": number, "slot": slot, "policy": POLICY.dump_python(policy, mode="json")})
        return await answer

    async def close(self) -> None:
        if self._keeping is not None:
            self._keeping.cancel()
            await asyncio.gather(self._keeping, return_exceptions=True)
        self._lose("the server is ending")
        if self._process is not None:
            await asyncio.to_thread(self._process.wait)

    async def _start(self) -> asyncio.StreamReader:
        """Start the process, and wait until all policies are in force."""
        ours, theirs = socket.socketpair()
        command = (sys.executable, "-m", "loopyard.runtime.crun.egress", str(theirs.fileno()))
        # A session of its own: Ctrl-C at the terminal is for the server, which ends it.
        self._process = await asyncio.to_thread(
            subprocess.Popen, command, pass_fds=(theirs.fileno(),), start_new_session=True, stdin=subprocess.DEVNULL
        )
        theirs.close()
        reader, self._writer = await asyncio.open_connection(sock=ours, limit=LINE_BYTES)
        policies = {slot: POLICY.dump_python(policy, mode="json") for slot, policy in self._policies.items()}
        self._send({**self._told, "policies": policies})
        try:
            async with asyncio.timeout(_START_SECONDS):
                hello = await self._hello(reader)
        except TimeoutError:
            hello: dict[str, Any] = {}
        if hello.get("fault", "it did not start") is not None:
            self._lose()
            raise RulesRefused(hello.get("fault", "what decides on it did not start; see the messages above"))
        self._ready.set()
        return reader

    async def _hello(self, reader: asyncio.StreamReader) -> dict[str, Any]:
        """Its first answer; empty if it ends before."""
        while line := await _line(reader):
            said: dict[str, Any] = json.loads(line)
            if "refused" not in said:  # it takes questions before all policies are in force
                return said
        return {}

    async def _keep(self, reader: asyncio.StreamReader) -> None:
        """Take its answers; start it anew if somebody kills it."""
        while True:
            while line := await _line(reader):
                answer: dict[str, Any] = json.loads(line)
                if "refused" in answer:
                    self._refused(answer["refused"], answer["message"])
                elif (waiting := self._waiting.pop(answer["number"], None)) is not None and not waiting.done():
                    waiting.set_result(answer["fault"])
            self._lose()
            await self._reap()
            log.warning("what decides on the sandboxes' way out was killed; starting it anew")
            while not self._ready.is_set():
                try:
                    reader = await self._start()
                except RulesRefused:
                    log.exception("the sandboxes' way out could not be opened again")
                    await asyncio.sleep(_PAUSE_SECONDS)

    async def _reap(self) -> None:
        """Collect the process whose socket has closed: a dead one stays in the table of processes until then."""
        if self._process is not None:
            self._process.kill()
            await asyncio.to_thread(self._process.wait)

    def _send(self, message: Mapping[str, Any]) -> None:
        if self._writer is not None:
            self._writer.write(json.dumps(message).encode() + b"\n")

    def _lose(self, reason: str = _LOST) -> None:
        self._ready.clear()
        if self._writer is not None:
            self._writer.close()
            self._writer = None
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_result(reason)
        self._waiting.clear()


async def _line(reader: asyncio.StreamReader) -> bytes:
    """The next line; empty at the end."""
    try:
        return await reader.readline()
    except OSError:
        return b""
