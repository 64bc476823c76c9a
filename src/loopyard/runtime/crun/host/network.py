"""Network of the host, and the sandboxes' links to it.

Each sandbox has a link of its own to the host and nothing else: no two share a wire. What it may reach is decided in
`egress`.
"""

import asyncio
import fcntl
import ipaddress
import json
import logging
import os
import socket
import struct
import subprocess
from pathlib import Path

from loopyard.runtime.crun.host.instance import Instance
from loopyard.runtime.errors import RuntimeUnavailable

log = logging.getLogger("loopyard.runtime.network")

_SIOCGIFMTU = 0x8921
_FORWARDING = Path("/proc/sys/net/ipv4/ip_forward")
_RESOLV_CONF = (Path("/etc/resolv.conf"), Path("/run/systemd/resolve/resolv.conf"))


def nameservers() -> list[str]:
    """The host's IPv4 resolvers that can be reached from elsewhere than the host itself; never loopback ones."""
    for path in _RESOLV_CONF:
        found: list[str] = []
        for line in path.read_text().splitlines() if path.exists() else ():
            words = line.split()
            if len(words) > 1 and words[0] == "nameserver" and _routable(words[1]):
                found.append(words[1])
        if found:
            return found
    return []


def _routable(address: str) -> bool:
    try:
        return not ipaddress.IPv4Address(address).is_loopback
    except ValueError:
        return False


def search_domains() -> str:
    """The host's `search` line of resolv.conf, or nothing."""
    lines = _RESOLV_CONF[0].read_text().splitlines() if _RESOLV_CONF[0].exists() else []
    return next((line.strip() for line in lines if line.startswith("search ")), "")


def mtu() -> int:
    """The largest packet that goes out by the host's default route."""
    for line in Path("/proc/net/route").read_text().splitlines()[1:]:
        name, destination = line.split()[:2]
        if destination == "00000000":
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
                asked = struct.pack("16sI12x", name.encode(), 0)
                return struct.unpack("16xI12x", fcntl.ioctl(any_socket, _SIOCGIFMTU, asked))[0]
    return 1500


def allow_forwarding() -> None:
    """Let the host pass packets on."""
    if _FORWARDING.read_text().strip() != "1":
        log.info("turning on net.ipv4.ip_forward, so that sandboxes reach the network")
        _FORWARDING.write_text("1")


async def remove_stale_links(instance: Instance, kept: set[int]) -> None:
    """Delete the links of slots that nobody uses, which an earlier server left.

    Raises:
        RuntimeUnavailable: One of them stays.
    """
    if stale := await _stale_links(instance, kept):
        try:
            await _run("ip", "-force", "-batch", "-", stdin="".join(f"link del {name}\n" for name in stale))
        except RuntimeUnavailable:
            # The kernel may be taking them away by itself just now, with the namespaces at their other ends.
            if await _stale_links(instance, kept):
                raise


async def _stale_links(instance: Instance, kept: set[int]) -> list[str]:
    listed = json.loads(await _run("ip", "-json", "link", "show") or "[]")
    names = [link["ifname"] for link in listed if link["ifname"].startswith(instance.link_prefix)]
    return [name for name in names if int(name.removeprefix(instance.link_prefix)) not in kept]


async def _run(*command: str, stdin: str = "") -> str:
    # Memory and no pipe: writing to a pipe of a program that has ended already is an error in uvloop.
    given = os.memfd_create("stdin")
    try:
        os.write(given, stdin.encode())
        os.lseek(given, 0, os.SEEK_SET)
        process = await asyncio.create_subprocess_exec(
            *command, stdin=given, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
    finally:
        os.close(given)
    output, errors = await process.communicate()
    if process.returncode != 0:
        said = errors.decode(errors="replace").strip()
        raise RuntimeUnavailable(f"'{' '.join(command)}' failed, so sandboxes would have no network: {said}")
    return output.decode()
