"""Slots: a uid range and a network namespace, made ready before a sandbox needs them, and used again after it."""

import os
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from loopyard.runtime.crun.host.uids import UIDS
from loopyard.runtime.crun.launcher.messages import send
from loopyard.runtime.crun.launcher.programs import run
from loopyard.runtime.crun.launcher.requests import Answer, Done, PrepareSlot
from loopyard.runtime.syscalls import CLONE_NEWNET, CLONE_NEWUSER, setns, unshare


@dataclass(frozen=True, slots=True)
class Slot:
    """The descriptors of a slot's namespaces, and the first uid of its range."""

    user_namespace: int
    network_namespace: int
    uid_base: int


def prepare(answer: Answer, request: PrepareSlot, donations: socket.socket) -> None:
    """Make a slot ready, and hand it to the launcher at the other end of `donations`."""
    link, mtu = request.link, request.mtu
    host_network = os.open("/proc/self/ns/net", os.O_RDONLY)
    user = _user_namespace(request.uid_base)
    unshare(CLONE_NEWNET)
    network = os.open("/proc/self/ns/net", os.O_RDONLY)
    Path("/proc/sys/net/ipv4/ping_group_range").write_text("0 2147483647")
    Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").write_text("0")
    Path("/proc/sys/net/ipv6/conf/default/disable_ipv6").write_text("1")
    inside = (
        "link set lo up",
        f"link add eth0 mtu {mtu} type veth peer name {link} mtu {mtu} netns {os.getppid()}",
        f"addr add {request.address}/31 dev eth0",
        "link set eth0 up",
        f"route add default via {request.host_address}",
    )
    run(["ip", "-batch", "-"], "\n".join(inside).encode())
    setns(host_network, CLONE_NEWNET)
    outside = (f"addr add {request.host_address}/31 dev {link}", f"link set {link} addrgenmode none up")
    run(["ip", "-batch", "-"], "\n".join(outside).encode())
    send(donations, {"number": request.number, "uid_base": request.uid_base}, [user, network])
    answer(Done())


def received(message: dict[str, Any], descriptors: list[int]) -> tuple[int, Slot]:
    """A slot that a worker has made ready, and its number."""
    return message["number"], Slot(descriptors[0], descriptors[1], message["uid_base"])


def _user_namespace(uid_base: int) -> int:
    """A descriptor of a user namespace that maps ids from 0 on to the range at `uid_base`."""
    told, tell = os.pipe()
    held, hold = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(hold)
        try:
            unshare(CLONE_NEWUSER)
            os.write(tell, b"+")
            os.read(held, 1)
        finally:
            os._exit(0)
    os.close(tell)
    try:
        if os.read(told, 1) != b"+":
            raise OSError("this host does not let a user namespace be made (see user.max_user_namespaces)")
        for name in ("uid_map", "gid_map"):
            Path(f"/proc/{child}/{name}").write_text(f"0 {uid_base} {UIDS}\n")
        return os.open(f"/proc/{child}/ns/user", os.O_RDONLY)
    finally:
        os.close(hold)
        os.close(held)
        os.close(told)
        os.waitpid(child, 0)
