"""What is open and what is closed to a devbox without a policy, and under allow_all."""

import json
import re
import subprocess
import sys

import pytest

from tests.integration.network_policy.box import Box, MakeBox
from tests.integration.network_policy.world import (
    GATEWAY,
    HOST,
    METADATA,
    NEIGHBOUR,
    OTHER,
    PRIVATE,
    RESOLVER,
    SHARED,
    World,
)
from tests.serving import ServerProcess


@pytest.fixture(params=["no policy", "allow_all"])
def box(request: pytest.FixtureRequest, make_box: MakeBox) -> Box:
    return make_box() if request.param == "no policy" else make_box(allow_all=True)


def test_the_world_is_open(box: Box) -> None:
    assert box.looks_up("other.test") == [OTHER]
    assert box.fetches("https://allowed.test/") == f"host=allowed.test sni=allowed.test at={SHARED} got=0\n"
    assert box.connects(OTHER, 7000)
    assert box.echoes(OTHER)
    assert box.asks("allowed.test", server=RESOLVER, tcp=True) == "0 1"


def test_the_metadata_address_is_closed_in_all_spellings(box: Box, world: World) -> None:
    assert "HTTP/1" in _from_host(world, f"http://{METADATA}/"), "the test's own metadata server does not answer"
    decimal = int.from_bytes(bytes(map(int, METADATA.split("."))), "big")
    spellings = [METADATA, str(decimal), hex(decimal), "0251.0376.0251.0376", "0xa9.0xfe.0xa9.0xfe", "169.16689662"]
    for spelling in spellings:
        assert box.fetches(f"http://{spelling}/") is None, spelling
        assert not box.connects(spelling, 80), spelling
    for spelling in (f"[::ffff:{METADATA}]", "[::ffff:a9fe:a9fe]", "[fe80::a9fe:a9fe]", "[fd00:ec2::254]"):
        assert box.fetches(f"http://{spelling}/") is None, spelling
    assert box.fetches("http://rebind-metadata.test/") is None
    assert not box.echoes(METADATA)
    assert box.fetches("http://anything/", f"--connect-to ::{METADATA}:80") is None


def test_the_host_is_closed(box: Box, world: World, server: ServerProcess) -> None:
    api = server.base_url.rpartition(":")[2]
    for address in (HOST, world.address, _gateway(box), "127.0.0.1"):
        for port in (9999, int(api)):
            assert not box.connects(address, port), f"{address}:{port}"


def test_private_networks_are_closed(box: Box, world: World) -> None:
    for address in (PRIVATE, GATEWAY, NEIGHBOUR, RESOLVER, f"198.18.{world.number}.1"):
        assert not box.connects(address, 80), address
        assert not box.echoes(address), address


def test_packets_with_the_address_of_another_get_nowhere(
    make_box: MakeBox, world: World, server: ServerProcess
) -> None:
    """A box cannot make them; they are sent here by the host's root from the box's end of its link."""
    box, other = make_box(root=True), make_box()
    assert box.run("python3 -c 'import socket; socket.socket(socket.AF_INET, socket.SOCK_RAW, 255)'")[0] != 0
    before = _dropped(world)
    sources = [_address(other), _gateway(box), HOST, "8.8.8.8"]
    program = f"""
import socket, struct
def checksum(data):
    total = sum(struct.unpack(f"!{{len(data) // 2}}H", data))
    total = (total >> 16) + (total & 0xffff)
    return ~(total + (total >> 16)) & 0xffff
raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
for source in {sources}:
    udp = struct.pack("!4H", 4000, 5000, 13, 0) + b"spoof"
    ends = socket.inet_aton(source) + socket.inet_aton("{OTHER}")
    head = struct.pack("!BBHHHBBH", 69, 0, 20 + len(udp), 1, 0, 64, 17, 0) + ends
    raw.sendto(head[:10] + struct.pack("!H", checksum(head)) + head[12:] + udp, ("{OTHER}", 0))
"""
    pid = json.loads((server.data_dir / "sandboxes" / box.id / "state.json").read_text())["pid"]
    subprocess.run(["nsenter", f"--net=/proc/{pid}/ns/net", sys.executable, "-c", program], check=True)
    assert _dropped(world) == before + len(sources)


def _dropped(world: World) -> int:
    """Packets that were dropped for their origin."""
    table = world.nft("list", "ruleset")
    return sum(
        int(count)
        for chain in re.findall(r"chain origin {.*?}\n", table, re.DOTALL)
        for count in re.findall(r"packets (\d+)", chain)
    )


def test_boxes_do_not_reach_each_other(make_box: MakeBox) -> None:
    one, two = make_box(), make_box()
    _serve(two)
    assert not one.connects(_address(two), 8000)
    assert two.connects(_address(two), 8000), "the test's own server does not answer"
    assert one.run(f"ping -c1 -W1 {_address(two)}")[0] != 0


def test_boxes_reach_each_other_only_if_both_may(make_box: MakeBox) -> None:
    one, two = make_box(allow_devbox_to_devbox=True), make_box(allow_all=True)
    closed, plain = make_box(allowed_cidrs=[{"cidr": "10.0.0.0/8"}]), make_box()
    for box in (one, two, closed, plain):
        _serve(box)
    assert one.connects(_address(two), 8000)
    assert two.connects(_address(one), 8000)
    for box in (one, two):
        for stranger in (closed, plain):
            assert not box.connects(_address(stranger), 8000)
            assert not stranger.connects(_address(box), 8000)


def _serve(box: Box) -> None:
    box.client.devboxes.execute_async(box.id, command="python3 -m http.server 8000")
    assert box.run("for i in $(seq 50); do : <>/dev/tcp/127.0.0.1/8000 && exit 0; sleep 0.1; done; exit 1")[0] == 0


def _address(box: Box) -> str:
    return box.run("hostname -I")[1].split()[0]


def _gateway(box: Box) -> str:
    first, _, last = _address(box).rpartition(".")
    return f"{first}.{int(last) - 1}"


def _from_host(world: World, url: str) -> str:
    command = [*world.inside(world.host), "curl", "-si", "--max-time", "4", url]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout
