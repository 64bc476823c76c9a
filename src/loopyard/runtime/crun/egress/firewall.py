"""Keeps the rules of the sandboxes' network policies in force."""

import asyncio
import contextlib
import ipaddress
import logging
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from loopyard.kit.host.hostnames import Hostnames
from loopyard.runtime.crun.egress import table
from loopyard.runtime.crun.egress.blocklist import Blocklist
from loopyard.runtime.crun.egress.elements import Element, Elements, address, number
from loopyard.runtime.crun.egress.nft import Nft, RulesRefused
from loopyard.runtime.crun.host.instance import Instance
from loopyard.runtime.protocol import NetworkPolicy

log = logging.getLogger("loopyard.runtime.network")

_MOST_LEARNED = 4096
"""How many addresses are open to one sandbox by name at a time."""

_GRACE_SECONDS = 5.0
"""How much longer than an answer's time to live its addresses stay open: whoever has just asked may still connect."""

OPEN_SECONDS = 60.0
"""How long an address stays open at least after its last use: programs keep what a name stands for longer than the
answer lives."""

_AHEAD = 1.5
"""How far ahead a use keeps an address open, so that not every use has to tell the kernel."""

_UNUSED_CHAINS = 32
_WATCH_SECONDS = 5.0


@dataclass(slots=True)
class RulesInForce:
    """Rules in force for one sandbox. `learned` are the addresses open to it by name: until when (`time.monotonic`),
    and by which name (None after a restart)."""

    policy: NetworkPolicy
    hostnames: Hostnames
    chains: str | None
    """Suffix of the names of its policy's chains; None where it has none, since it allows all."""
    elements: list[Element]
    learned: dict[str, tuple[float, str | None]] = field(default_factory=dict[str, tuple[float, str | None]])

    @property
    def restricted(self) -> bool:
        return not self.policy.allow_all


class Firewall:
    """The rules of one server's sandboxes. Sandboxes are named by their slots, packets by the sandboxes' addresses."""

    def __init__(
        self,
        instance: Instance,
        closed: Blocklist,
        ports: table.Ports,
        mirrors: Sequence[str],
        open_seconds: float = OPEN_SECONDS,
    ) -> None:
        """`open_seconds` is how long an address stays open at least after its last use."""
        self._open_seconds = open_seconds
        self._instance = instance
        self._closed = closed
        self._ports = ports
        self._mirrors = tuple(mirrors)
        self._find_resolvers: Callable[[], Sequence[str]] = tuple
        self._resolvers: Sequence[str] = ()
        self._nft = Nft()
        self._elements = Elements(instance.table)
        self._held: dict[str, RulesInForce] = {}
        self._chains: Counter[str] = Counter()
        self._groups: dict[str, int] = {}
        self._turn = asyncio.Lock()
        self._watcher: asyncio.Task[None] | None = None
        self.changed: Callable[[str], None] = lambda _: None
        """Called with a sandbox's address after its policy has changed or gone."""

    async def open(self, policies: Mapping[int, NetworkPolicy | None], resolvers: Callable[[], Sequence[str]]) -> None:
        """Replace all that an earlier server left by the policies of the sandboxes that run, in one step.

        Raises:
            RulesRefused: The kernel does not take the rules.
        """
        self._find_resolvers = resolvers
        for slot, policy in policies.items():
            if policy is not None:
                self._held[self._address(slot)] = self._hold(self._address(slot), policy)
        await self._recall_learned()
        await self._load()
        self._watcher = asyncio.create_task(self._watch())

    async def close(self) -> None:
        """Leave the rules in force."""
        if self._watcher is not None:
            self._watcher.cancel()
            await asyncio.gather(self._watcher, return_exceptions=True)
        self._elements.close()
        await asyncio.to_thread(self._nft.close)

    def held(self, sandbox_address: str) -> RulesInForce | None:
        """Rules in force for the sandbox with this address; None where it has no policy."""
        return self._held.get(sandbox_address)

    async def apply(self, slot: int, policy: NetworkPolicy | None) -> None:
        """Put a policy in force for the sandbox in a slot, in place of the one it has.

        Raises:
            RulesRefused: The kernel did not take it; what was in force still is.
        """
        source = self._address(slot)
        async with self._turn:
            before = self._held.get(source)
            if policy is None and before is None:
                return
            after = None if policy is None else self._hold(source, policy)
            if after is not None and after.chains is not None and after.chains not in self._chains:
                await self._nft.run(table.of_policy(self._instance, self._closed, after.policy, self._ports))
                self._chains[after.chains] = 0
            gone = self._outdated(source, before, after)
            remove = [*(before.elements if before else ()), *gone]
            self._elements.change(remove=remove, put=after.elements if after else ())
            if after is None:
                del self._held[source]
            else:
                self._held[source] = after
            self._count(after, 1)
            self._count(before, -1)
            await self._drop_unused_chains()
        self.changed(source)

    def learn(self, sandbox_address: str, name: str, addresses: Iterable[str], ttl: float) -> bool:
        """Open addresses to a sandbox for as long as the answer that named them lives, and as after a use of them.
        Returns whether all are open: not if the sandbox has too many open already, or its policy no longer allows the
        name.

        Raises:
            RulesRefused: The kernel did not take it.
        """
        held = self._held.get(sandbox_address)
        if held is None or not held.restricted:
            return True
        if not held.hostnames.allow(name):
            return False
        now = time.monotonic()
        if len(held.learned) >= _MOST_LEARNED:
            held.learned = {one: what for one, what in held.learned.items() if what[0] > now}
        fresh = [one for one in addresses if one not in held.learned]
        if len(held.learned) + len(fresh) > _MOST_LEARNED:
            return False
        seconds = max(ttl, self._open_seconds) + _GRACE_SECONDS
        new = {one: max(seconds, held.learned.get(one, (0.0, None))[0] - now) for one in addresses}
        elements = [_learned(sandbox_address, one, timeout) for one, timeout in new.items()]
        self._elements.change(remove=elements, put=elements)
        held.learned.update({one: (now + timeout, name) for one, timeout in new.items()})
        return True

    def used(self, sandbox_address: str, one: str) -> None:
        """A sandbox uses an address that was open to it by name: it stays open for a while, or is open again."""
        held, now = self._held.get(sandbox_address), time.monotonic()
        if held is None or not held.restricted or (known := held.learned.get(one)) is None:
            return
        until, name = known
        if until - now >= self._open_seconds or (name is not None and not held.hostnames.allow(name)):
            return
        seconds = self._open_seconds * _AHEAD
        element = _learned(sandbox_address, one, seconds)
        try:
            self._elements.change(remove=[element], put=[element])
        except RulesRefused as fault:
            log.warning("an address in use does not stay open: %s", fault)
        else:
            held.learned[one] = now + seconds, name

    def _hold(self, source: str, policy: NetworkPolicy) -> RulesInForce:
        names = (*policy.hostnames, *(self._mirrors if policy.mirrors else ()))
        key, elements = address(source), list[Element]()
        chains = None if policy.allow_all else table.chains(policy)
        if chains is not None:
            guest = "accepted" if policy.gateway else "refuse"
            elements += [
                Element("policies", key, chain=f"p_{chains}"),
                Element("names", key, chain=f"n_{chains}"),
                Element("guests", key, chain=guest),
            ]
        if policy.group is not None:
            mark = number(self._groups.setdefault(policy.group, len(self._groups) + 1))
            elements += [Element("groups", key, mark), Element("members", mark + key)]
        return RulesInForce(policy, Hostnames(names), chains, elements)

    def _outdated(self, source: str, before: RulesInForce | None, after: RulesInForce | None) -> list[Element]:
        """Addresses learned under a policy that are not to be open under the next; the rest goes over to it."""
        gone: list[Element] = []
        for one, (until, name) in (before.learned if before else {}).items():
            if after is not None and after.restricted and name is not None and after.hostnames.allow(name):
                after.learned[one] = until, name
            else:
                gone.append(_learned(source, one, 1.0))
        return gone

    def _count(self, held: RulesInForce | None, by: int) -> None:
        if held is not None and held.chains is not None:
            self._chains[held.chains] += by

    async def _drop_unused_chains(self) -> None:
        if len(self._chains) <= _UNUSED_CHAINS:
            return
        unused = [name for name, users in self._chains.items() if users == 0]
        if len(unused) > _UNUSED_CHAINS:
            with contextlib.suppress(RulesRefused):  # they cost nothing but memory; the next start drops them
                await self._nft.run("\n".join(table.without_policy(self._instance, name) for name in unused))
                for name in unused:
                    del self._chains[name]

    async def _recall_learned(self) -> None:
        """Read the addresses that were open by name before a restart; they stay open for as long as they would have
        been."""
        try:
            listed = await self._nft.list(f"set inet {self._instance.table} learned")
        except RulesRefused:  # an earlier version's table, or none
            return
        for entry in listed:
            for wrapped in entry.get("set", {}).get("elem", ()):
                source, one = wrapped["elem"]["val"]["concat"]
                held = self._held.get(source)
                if held is not None and held.restricted and held.hostnames:
                    held.learned[one] = time.monotonic() + wrapped["elem"]["expires"], None

    async def _load(self) -> None:
        restricted = {held.chains: held.policy for held in self._held.values() if held.chains is not None}
        self._resolvers = self._find_resolvers()
        commands = [table.whole(self._instance, self._closed, self._resolvers, self._ports)]
        commands += [
            table.of_policy(self._instance, self._closed, policy, self._ports) for policy in restricted.values()
        ]
        now = time.monotonic()
        by_set: dict[str, list[str]] = {}
        for source, held in self._held.items():
            elements = [*held.elements]
            elements += [_learned(source, one, until - now) for one, (until, _) in held.learned.items() if until > now]
            for element in elements:
                by_set.setdefault(element.name, []).append(_text(element))
        commands += [
            f"add element inet {self._instance.table} {name} {{ {', '.join(texts)} }}" for name, texts in by_set.items()
        ]
        await self._nft.run("\n".join(commands))
        self._chains = Counter(held.chains for held in self._held.values() if held.chains is not None)

    async def _watch(self) -> None:
        """Load the rules again if somebody on the host removes them, as `nft flush ruleset` does, or the host has other
        resolvers than before."""
        while True:
            await asyncio.sleep(_WATCH_SECONDS)
            try:
                await self._nft.list(f"chain inet {self._instance.table} forward")
                if self._find_resolvers() == self._resolvers:
                    continue
                log.info("the host has other resolvers now; loading the sandboxes' rules again")
            except RulesRefused:
                log.warning("the sandboxes' rules were removed from the host; loading them again")
            async with self._turn:
                try:
                    await self._load()
                except RulesRefused:
                    log.exception("the sandboxes' rules could not be loaded")

    def _address(self, slot: int) -> str:
        return self._instance.addresses(slot)[1]


def _learned(source: str, one: str, seconds: float) -> Element:
    return Element("learned", address(source) + address(one), timeout=seconds)


def _text(element: Element) -> str:
    """An element in nft's own language."""
    words = [str(ipaddress.IPv4Address(element.key[place : place + 4])) for place in range(0, len(element.key), 4)]
    if element.name == "members":
        words[0] = str(int.from_bytes(element.key[:4], sys.byteorder))
    said = " . ".join(words)
    if element.timeout is not None:
        said += f" timeout {max(1, int(element.timeout))}s"
    if element.chain is not None:
        said += f" : goto {element.chain}"
    elif element.value is not None:
        said += f" : {int.from_bytes(element.value, 'little')}"
    return said
