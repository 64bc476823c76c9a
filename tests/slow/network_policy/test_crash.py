"""Rules through the death of the server, and places that are rarely met."""

import json
import subprocess
import sys
import time
from collections.abc import Generator

import psutil
import pytest
from runloop_api_client import APIConnectionError

from tests.integration.devbox.waiting import wait_until
from tests.integration.network_policy.box import Box, end_all, new_policy
from tests.integration.network_policy.world import OTHER, RESOLVER, SHARED, World, environment
from tests.serving import ServerProcess


@pytest.fixture
def own_server(world: World, request: pytest.FixtureRequest) -> Generator[ServerProcess]:
    """A server that a test may kill."""
    name = request.node.name.partition("[")[0]
    server = world.server(name).start(environment(spare_slots=2, open_host_ports=[9999]))
    yield server
    if not server.alive:
        server.start()
    end_all(server)
    server.stop()


def _box(server: ServerProcess, **policy: object) -> Box:
    client = server.client()
    launch = {"network_policy_id": new_policy(client, **policy)} if policy else {}
    return Box(client, client.devboxes.create_and_await_running(launch_parameters=launch).id)  # type: ignore[arg-type]


def _inside(server: ServerProcess, box: Box, *command: str) -> str:
    """Run a command of the host in the box's network, while there is no server to run one in the box."""
    pid = json.loads((server.data_dir / "sandboxes" / box.id / "state.json").read_text())["pid"]
    entered = ["nsenter", f"--net=/proc/{pid}/ns/net", *command]
    return subprocess.run(entered, capture_output=True, text=True, check=False).stdout


def _reaches(server: ServerProcess, box: Box, address: str, port: int) -> bool:
    program = f"import socket; socket.create_connection(('{address}', {port}), 3); print('yes')"
    return _inside(server, box, sys.executable, "-c", program).strip() == "yes"


def test_rules_hold_while_the_server_is_dead_and_after(own_server: ServerProcess, world: World) -> None:
    server = own_server
    nothing, named, network, plain = (
        _box(server, description="nothing"),
        _box(server, allowed_hostnames=["allowed.test"]),
        _box(server, allowed_cidrs=[{"cidr": f"{OTHER}/32", "ports": [{"port": 443}]}]),
        _box(server),
    )
    assert named.looks_up("allowed.test") == [SHARED]
    server.kill()
    assert not _reaches(server, nothing, OTHER, 443)
    assert not _reaches(server, named, SHARED, 443), "nobody is there to check names"
    assert not _reaches(server, named, OTHER, 443)
    lookup = (
        "import dns.message, dns.query; "
        f"print(dns.query.udp(dns.message.make_query('allowed.test', 'A'), '{RESOLVER}', timeout=2).answer)"
    )
    question = [sys.executable, "-c", lookup]
    assert SHARED in _inside(server, plain, *question)
    asked = len(world.asked())
    assert SHARED not in _inside(server, named, *question)
    assert world.asked()[asked:] == []
    assert _reaches(server, network, OTHER, 443)
    assert not _reaches(server, network, OTHER, 80)
    assert _reaches(server, plain, OTHER, 80)
    assert not _reaches(server, plain, "169.254.169.254", 80)
    server.start(environment(spare_slots=2, open_host_ports=[9999]))
    for box in (nothing, named, network, plain):
        box.client = server.client()
    assert named.connects(SHARED, 443), "what was open by name is open again"
    assert named.fetches("https://allowed.test/") is not None
    assert not named.connects(OTHER, 443)
    assert not nothing.connects(OTHER, 443)
    assert nothing.looks_up("allowed.test") == []
    assert network.connects(OTHER, 443)
    assert not network.connects(OTHER, 80)
    assert plain.connects(OTHER, 80)


def test_what_decides_on_the_way_out_is_started_anew_when_it_is_killed(own_server: ServerProcess) -> None:
    box = _box(own_server, allowed_hostnames=["allowed.test"])
    assert box.fetches("https://allowed.test/") is not None
    (apart,) = _way_out(own_server)
    apart.kill()
    wait_until(lambda: not apart.is_running(), lambda: f"{apart} is still there")
    deadline = time.monotonic() + 120
    while not _way_out(own_server) or box.fetches("https://allowed.test/") is None:
        assert time.monotonic() < deadline
    assert box.fetches("https://notwild.test/", f"--connect-to ::{SHARED}:443") is None
    (apart,) = _way_out(own_server)
    own_server.kill()
    apart.wait(10)  # it goes with the server


def _way_out(server: ServerProcess) -> list[psutil.Process]:
    children = psutil.Process(server.pid).children()
    return [one for one in children if one.is_running() and "loopyard.runtime.crun.egress" in _command(one)]


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def test_an_update_that_was_cut_off_is_in_force_after_the_next_start(own_server: ServerProcess) -> None:
    server = own_server
    box = _box(server, allowed_cidrs=[{"cidr": f"{OTHER}/32"}])
    policy_id = box.client.devboxes.retrieve(box.id).launch_parameters.network_policy_id
    assert policy_id is not None
    assert box.connects(OTHER, 80)
    server.stop()
    server.start({**environment(spare_slots=2), "LOOPYARD_FAILPOINT": "network_policy.updated"})
    with pytest.raises(APIConnectionError):
        server.client(max_retries=0).network_policies.update(policy_id, allowed_cidrs=[])
    server.wait_dead()
    assert _reaches(server, box, OTHER, 80)
    server.start(environment(spare_slots=2))
    box.client = server.client()
    assert not box.connects(OTHER, 80)
    assert box.client.network_policies.retrieve(policy_id).egress.allowed_cidrs == []


def test_a_box_that_is_gone_leaves_nothing_to_the_next_start(own_server: ServerProcess, world: World) -> None:
    server = own_server
    box = _box(server, allowed_hostnames=["allowed.test"])
    address = box.run("hostname -I")[1].strip()
    assert box.looks_up("allowed.test") == [SHARED]
    server.kill()
    pid = json.loads((server.data_dir / "sandboxes" / box.id / "state.json").read_text())["pid"]
    subprocess.run(["kill", "-9", str(pid)], check=True)
    time.sleep(0.5)
    server.start(environment(spare_slots=2, open_host_ports=[9999]))
    assert address not in world.elements(server)


def test_rules_that_somebody_removes_come_back(own_server: ServerProcess, world: World) -> None:
    box = _box(own_server, allowed_cidrs=[{"cidr": f"{OTHER}/32", "ports": [{"port": 443}]}])
    world.nft("delete", "table", "inet", world.table(own_server))
    deadline = time.monotonic() + 120
    while not box.connects(OTHER, 443) or box.connects(OTHER, 80):
        assert time.monotonic() < deadline
        time.sleep(0.5)


def test_ports_that_the_operator_opens_are_reached_at_the_gateway_only(own_server: ServerProcess, world: World) -> None:
    plain, nothing, guest = (
        _box(own_server),
        _box(own_server, description="nothing"),
        _box(own_server, allow_agent_gateway=True),
    )
    for box, reached in ((plain, True), (nothing, False), (guest, True)):
        first, _, last = box.run("hostname -I")[1].strip().rpartition(".")
        gateway = f"{first}.{int(last) - 1}"
        assert box.connects(gateway, 9999) is reached
        assert not box.connects("203.0.113.2", 9999)
        assert not box.connects(world.address, 9999)
        assert not box.connects(gateway, int(own_server.base_url.rpartition(":")[2]))


def test_a_host_whose_resolver_is_on_loopback_answers_for_its_boxes(world: World) -> None:
    server = world.server("loopback", "127.0.0.53").start(environment(spare_slots=2))
    try:
        plain, named = _box(server), _box(server, allowed_hostnames=["allowed.test"])
        assert plain.looks_up("other.test") == [OTHER]
        assert plain.looks_up("long.test") == [SHARED]
        assert plain.looks_up("no-such-name.test") == []
        assert plain.fetches("https://other.test/") is not None
        assert named.looks_up("allowed.test") == [SHARED]
        assert named.looks_up("other.test") == []
        assert named.fetches("https://allowed.test/") is not None
    finally:
        end_all(server)
        server.stop()


def test_what_takes_a_port_of_a_dead_server_is_not_reached(own_server: ServerProcess, world: World) -> None:
    """Sandboxes are led to ports of the server; when it is gone, something else on the host may get them."""
    server = own_server
    box = _box(server, allowed_hostnames=["allowed.test"])
    assert box.looks_up("allowed.test") == [SHARED]
    rules = world.nft("list", "table", "inet", world.table(server))
    port = rules.rpartition("@learned redirect to :")[2].split()[0]
    server.kill()
    listening = [*world.inside(world.host), sys.executable, "-m", "http.server", port, "--bind", "0.0.0.0"]  # noqa: S104
    stranger = subprocess.Popen(listening, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        time.sleep(1)
        assert stranger.poll() is None, "the port was not taken"
        assert not _reaches(server, box, SHARED, 443)
    finally:
        stranger.kill()
        stranger.wait()


def test_the_servers_ports_are_closed_to_all_but_boxes(own_server: ServerProcess, world: World) -> None:
    _box(own_server, allowed_hostnames=["allowed.test"])
    rules = world.nft("list", "table", "inet", world.table(own_server))
    ports = {int(part.split()[0]) for part in rules.split("redirect to :")[1:]}
    assert len(ports) == 3
    for port in ports:
        for address in (world.address, "127.0.0.1"):
            program = f"import socket; socket.create_connection(('{address}', {port}), 1); print('yes')"
            command = [*world.inside(world.host), sys.executable, "-c", program]
            assert "yes" not in subprocess.run(command, capture_output=True, text=True, check=False).stdout
    box = _box(own_server)
    first, _, last = box.run("hostname -I")[1].strip().rpartition(".")
    for port in ports:
        assert not box.connects(f"{first}.{int(last) - 1}", port)
