"""Adds and removes the elements of nftables sets straight by netlink, in microseconds; a command takes milliseconds.

Only what a batch of `NFT_MSG_NEWSETELEM` and `NFT_MSG_DELSETELEM` can say is here; tables, chains and rules are made
with `nft`. See the kernel's include/uapi/linux/netfilter/nf_tables.h for the names and numbers.
"""

import errno
import ipaddress
import os
import socket
import struct
from collections.abc import Sequence
from dataclasses import dataclass

from loopyard.runtime.crun.egress.nft import RulesRefused

_NETLINK_NETFILTER = 12
_NFPROTO_INET = 1
_SUBSYSTEM = 10
_BATCH_BEGIN, _BATCH_END = 0x10, 0x11
_NEWSETELEM, _DELSETELEM = 12, 14
_NLM_F_REQUEST, _NLM_F_ACK, _NLM_F_CREATE = 0x1, 0x4, 0x400
_NLMSG_ERROR = 2
_NLA_F_NESTED = 0x8000
_LIST_TABLE, _LIST_SET, _LIST_ELEMENTS, _LIST_ELEM = 1, 2, 3, 1
_ELEM_KEY, _ELEM_DATA, _ELEM_TIMEOUT = 1, 2, 4
_DATA_VALUE, _DATA_VERDICT = 1, 2
_VERDICT_CODE, _VERDICT_CHAIN = 1, 2
_NFT_GOTO = -4
_ANSWER_SECONDS = 5

_HEADER = struct.Struct("=IHHII")
_GENERIC = struct.Struct(">BBH")


@dataclass(frozen=True, slots=True)
class Element:
    """An element of the set `name`. The key's parts, and the value if it is a map's, are 4 bytes each, or the value is
    the chain to go to. `timeout` is in seconds."""

    name: str
    key: bytes
    value: bytes | None = None
    chain: str | None = None
    timeout: float | None = None


def address(text: str) -> bytes:
    """An IPv4 address as part of a key."""
    return ipaddress.IPv4Address(text).packed


def number(value: int) -> bytes:
    """A mark as part of a key, or as a value: in the machine's own byte order."""
    return struct.pack("=I", value)


class Elements:
    """The elements of one table's sets. Each call is one transaction: all of it is done, or none."""

    def __init__(self, table: str) -> None:
        self._table = table
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _NETLINK_NETFILTER)
        self._socket.settimeout(_ANSWER_SECONDS)
        self._sequence = 0

    def change(self, *, put: Sequence[Element] = (), remove: Sequence[Element] = ()) -> None:
        """Remove elements, whether they are there or not, then put others that are not there with another value.

        Raises:
            RulesRefused: The kernel did not take it.
        """
        messages: list[bytes] = []
        for element in remove:
            # One that is not there cannot be removed, so it is put there first; this serves all kernels.
            messages.append(self._message(_NEWSETELEM, element, bare=False))
            messages.append(self._message(_DELSETELEM, element, bare=True))
        messages.extend(self._message(_NEWSETELEM, element, bare=False) for element in put)
        if messages:
            self._send(messages)

    def close(self) -> None:
        self._socket.close()

    def _message(self, kind: int, element: Element, *, bare: bool) -> bytes:
        inner = _attribute(_ELEM_KEY, _attribute(_DATA_VALUE, element.key), nested=True)
        if not bare:
            inner += _content(element)
        lists = _attribute(_LIST_TABLE, f"{self._table}\0".encode()) + _attribute(
            _LIST_SET, f"{element.name}\0".encode()
        )
        lists += _attribute(_LIST_ELEMENTS, _attribute(_LIST_ELEM, inner, nested=True), nested=True)
        flags = _NLM_F_ACK | (_NLM_F_CREATE if kind == _NEWSETELEM else 0)
        return self._framed((_SUBSYSTEM << 8) | kind, flags, _NFPROTO_INET, 0, lists)

    def _framed(self, kind: int, flags: int, family: int, resource: int, attributes: bytes) -> bytes:
        self._sequence = (self._sequence + 1) & 0xFFFFFFFF
        body = _GENERIC.pack(family, 0, resource) + attributes
        return _HEADER.pack(_HEADER.size + len(body), kind, _NLM_F_REQUEST | flags, self._sequence, 0) + body

    def _send(self, messages: list[bytes]) -> None:
        begin = self._framed(_BATCH_BEGIN, 0, 0, _SUBSYSTEM, b"")
        first = self._sequence
        end = self._framed(_BATCH_END, 0, 0, _SUBSYSTEM, b"")
        wanted = {_HEADER.unpack_from(message)[3] for message in messages}
        self._socket.send(begin + b"".join(messages) + end)
        faults: list[int] = []
        while wanted:
            try:
                answer = self._socket.recv(1 << 16)
            except TimeoutError:
                raise RulesRefused("nftables: the kernel did not answer") from None
            place = 0
            while place < len(answer):
                length, kind, _, sequence, _ = _HEADER.unpack_from(answer, place)
                if kind == _NLMSG_ERROR:
                    code: int = struct.unpack_from("=i", answer, place + _HEADER.size)[0]
                    if code:
                        faults.append(-code)
                    wanted.discard(sequence)
                    if sequence == first:  # the whole batch was refused
                        wanted.clear()
                place += (length + 3) & ~3
        if faults:
            fault = next((code for code in faults if code != errno.ENOENT), faults[0])
            raise RulesRefused(f"nftables: the kernel refused a change in {self._table}: {os.strerror(fault)}")


def _content(element: Element) -> bytes:
    content = b""
    if element.chain is not None:
        verdict = _attribute(_VERDICT_CODE, struct.pack(">i", _NFT_GOTO))
        verdict += _attribute(_VERDICT_CHAIN, f"{element.chain}\0".encode())
        content += _attribute(_ELEM_DATA, _attribute(_DATA_VERDICT, verdict, nested=True), nested=True)
    elif element.value is not None:
        content += _attribute(_ELEM_DATA, _attribute(_DATA_VALUE, element.value), nested=True)
    if element.timeout is not None:
        content += _attribute(_ELEM_TIMEOUT, struct.pack(">Q", max(1, int(element.timeout * 1000))))
    return content


def _attribute(kind: int, payload: bytes, *, nested: bool = False) -> bytes:
    length = 4 + len(payload)
    return struct.pack("=HH", length, kind | (_NLA_F_NESTED if nested else 0)) + payload + b"\0" * (-length % 4)
