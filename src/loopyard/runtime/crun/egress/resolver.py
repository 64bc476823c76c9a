"""Answers one question for a name: by the host's resolvers, and only what the asking sandbox's policy allows.

Under a policy nothing of a question goes further but a name that is allowed and its type, so that questions carry no
message out, and no answer opens an address that is closed.
"""

import logging
from collections.abc import Iterable
from ipaddress import IPv4Address
from pathlib import Path
from typing import cast

import dns.asyncquery
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset
from dns.rdata import Rdata
from dns.rdatatype import RdataType

from loopyard.runtime.crun.egress.blocklist import Blocklist
from loopyard.runtime.crun.egress.firewall import Firewall, RulesInForce
from loopyard.runtime.crun.egress.refusals import Refusals

log = logging.getLogger("loopyard.runtime.network")

_RESOLV_CONF = Path("/etc/resolv.conf")
_MOST_RESOLVERS = 3
_RESOLVER_SECONDS = 3.0
_MOST_TTL = 24 * 3600
_PAYLOAD = 1232
"""The longest answer by UDP that is never broken up, in bytes."""

_EMPTY = {RdataType.AAAA, RdataType.HTTPS, RdataType.SVCB}
"""Sandboxes have no IPv6; and what HTTPS records hold could hide the server's name from the check."""

_FORWARDED = {
    RdataType.A,
    RdataType.CAA,
    RdataType.CNAME,
    RdataType.MX,
    RdataType.NAPTR,
    RdataType.NS,
    RdataType.PTR,
    RdataType.SOA,
    RdataType.SRV,
    RdataType.TXT,
}


class Resolvers:
    """The host's own resolvers, read again when its `resolv.conf` changes."""

    def __init__(self, path: Path = _RESOLV_CONF) -> None:
        self._path = path
        self._read_at = -1
        self._addresses: list[str] = []

    def addresses(self) -> list[str]:
        try:
            changed = self._path.stat().st_mtime_ns
        except OSError:
            return self._addresses
        if changed != self._read_at:
            words = [line.split() for line in self._path.read_text().splitlines()]
            found = [line[1] for line in words if len(line) > 1 and line[0] == "nameserver"]
            self._addresses, self._read_at = found[:_MOST_RESOLVERS], changed
        return self._addresses


class DnsResolver:
    """Knows what to answer to whom."""

    def __init__(self, firewall: Firewall, closed: Blocklist, resolvers: Resolvers, refusals: Refusals) -> None:
        self._refusals = refusals
        self._firewall = firewall
        self._closed = closed
        self._resolvers = resolvers

    async def answer(self, wire: bytes, sandbox_address: str, *, by_udp: bool) -> bytes | None:
        """The answer to a question; None if it is none."""
        try:
            question = dns.message.from_wire(wire)
        except dns.exception.DNSException:
            return None
        if question.flags & dns.flags.QR:
            return None
        answer = dns.message.make_response(question, recursion_available=True)
        held = self._firewall.held(sandbox_address)
        try:
            if question.opcode() != dns.opcode.QUERY or len(question.question) != 1:
                answer.set_rcode(dns.rcode.NOTIMP)
            elif held is None or not held.restricted:
                await self._relay(question, answer)
            else:
                await self._decide(question.question[0], answer, held, sandbox_address)
        except (dns.exception.DNSException, OSError, EOFError) as error:
            log.debug("no answer to %s: %r", question.question, error)
            answer.set_rcode(dns.rcode.SERVFAIL)
        most = min(max(question.payload, 512), _PAYLOAD) if by_udp else 65535
        return answer.to_wire(max_size=most, prefer_truncation=True)

    async def _relay(self, question: dns.message.Message, answer: dns.message.Message) -> None:
        """For sandboxes whose policy does not say what names they may know."""
        one = question.question[0]
        theirs = await self._ask(one.name, one.rdtype)
        answer.set_rcode(theirs.rcode())
        answer.answer, answer.authority = list(theirs.answer), list(theirs.authority)

    async def _decide(
        self, one: dns.rrset.RRset, answer: dns.message.Message, held: RulesInForce, sandbox_address: str
    ) -> None:
        name = one.name.to_text(omit_final_dot=True).lower()
        if one.rdclass != dns.rdataclass.IN or not held.hostnames.allow(name):
            answer.set_rcode(dns.rcode.NXDOMAIN)
            self._refusals.note(sandbox_address, f"The network policy does not allow {name}: it was not resolved.")
            return
        if one.rdtype in _EMPTY:
            return
        if one.rdtype not in _FORWARDED:
            answer.set_rcode(dns.rcode.REFUSED)
            return
        theirs = await self._ask(dns.name.from_text(name), one.rdtype)
        answer.set_rcode(theirs.rcode())
        if one.rdtype != RdataType.A:
            answer.answer = list(theirs.answer)
        elif theirs.rcode() == dns.rcode.NOERROR:
            self._open(theirs, one, answer, name, sandbox_address)

    def _open(
        self,
        theirs: dns.message.Message,
        one: dns.rrset.RRset,
        answer: dns.message.Message,
        name: str,
        sandbox_address: str,
    ) -> None:
        """Open the addresses of an answer, then give it."""
        if not isinstance(theirs, dns.message.QueryMessage):
            answer.set_rcode(dns.rcode.SERVFAIL)
            return
        chain = theirs.resolve_chaining()
        ttl = min(chain.minimum_ttl, _MOST_TTL)
        found = [record.to_text() for record in cast("Iterable[Rdata]", chain.answer or ())]
        public = [text for text in found if self._closed.is_open(IPv4Address(text))]
        named = [text for text in found if text not in public and self._is_named(text, sandbox_address)]
        if len(public) + len(named) < len(found):
            log.info("%s leads to closed addresses, which are left out", name)
            left_out = ", ".join(text for text in found if text not in public and text not in named)
            told = f"{name} leads to {left_out}, which is closed to devboxes or not named by the network policy."
            self._refusals.note(sandbox_address, told)
        if not public and not named:
            return
        if not self._firewall.learn(sandbox_address, name, public, ttl):
            answer.set_rcode(dns.rcode.SERVFAIL)
            self._refusals.note(sandbox_address, f"{name} was not opened: too many addresses are open at a time.")
            return
        for alias in chain.cnames:
            answer.answer.append(alias)
        canonical = chain.canonical_name if chain.cnames else one.name
        answer.answer.append(dns.rrset.from_text_list(canonical, ttl, "IN", "A", [*public, *named]))

    def _is_named(self, text: str, sandbox_address: str) -> bool:
        """True if it is a private address that the policy itself names."""
        held = self._firewall.held(sandbox_address)
        return held is not None and self._closed.is_named(IPv4Address(text), held.policy)

    async def _ask(self, name: dns.name.Name, kind: dns.rdatatype.RdataType) -> dns.message.Message:
        """The host's resolvers' answer to a question made anew.

        Raises:
            dns.exception.DNSException, OSError, EOFError: None of them gave one.
        """
        fault: Exception = OSError("this host has no resolver")
        for resolver in self._resolvers.addresses():
            question = dns.message.make_query(name, kind, use_edns=0, payload=_PAYLOAD)
            try:
                theirs, _ = await dns.asyncquery.udp_with_fallback(question, resolver, timeout=_RESOLVER_SECONDS)
            except (dns.exception.DNSException, OSError, EOFError) as error:
                fault = error
                continue
            return theirs
        raise fault
