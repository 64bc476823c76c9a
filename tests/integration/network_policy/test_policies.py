"""The resource itself, through the official client."""

from typing import Any

import httpx
import pytest
from runloop_api_client import BadRequestError, ConflictError, NotFoundError, Runloop

from tests.integration.network_policy.box import new_policy
from tests.serving import ServerProcess


@pytest.mark.semantic
def test_a_policy_comes_back_as_it_was_made(client: Runloop) -> None:
    made = client.network_policies.create(
        name="as made",
        description="for the test",
        allow_devbox_to_devbox=True,
        allow_mcp_gateway=True,
        allowed_hostnames=["github.com", "*.example.org"],
        allowed_cidrs=[
            {"cidr": "10.12.0.0/16", "ports": [{"port": 443}, {"port": 8000, "end_port": 8100, "protocol": "TCP"}]},
            {"cidr": "198.51.100.7/32"},
        ],
    )
    assert made.id.startswith("npo_")
    assert (made.name, made.description) == ("as made", "for the test")
    assert made.create_time_ms == made.update_time_ms
    egress = made.egress
    assert egress.allowed_hostnames == ["github.com", "*.example.org"]
    assert [cidr.model_dump(exclude_none=True) for cidr in egress.allowed_cidrs] == [
        {"cidr": "10.12.0.0/16", "ports": [{"port": 443}, {"port": 8000, "end_port": 8100, "protocol": "TCP"}]},
        {"cidr": "198.51.100.7/32"},
    ]
    flags = egress.allow_all, egress.allow_agent_gateway, egress.allow_devbox_to_devbox
    assert flags == (False, False, True)
    assert (egress.allow_mcp_gateway, egress.allow_runloop_mirrors) == (True, False)
    assert client.network_policies.retrieve(made.id) == made


@pytest.mark.semantic
def test_allow_all_lets_devboxes_reach_each_other_for_as_long_as_it_is_set(client: Runloop) -> None:
    policy_id = new_policy(client, allow_all=True)
    assert client.network_policies.retrieve(policy_id).egress.allow_devbox_to_devbox is True
    assert client.network_policies.update(policy_id, allow_all=False).egress.allow_devbox_to_devbox is False


@pytest.mark.semantic
def test_an_update_replaces_what_it_gives_and_keeps_the_rest(client: Runloop) -> None:
    policy_id = new_policy(
        client, description="kept", allowed_hostnames=["a.test"], allowed_cidrs=[{"cidr": "8.8.8.8/32"}]
    )
    before = client.network_policies.retrieve(policy_id)
    after = client.network_policies.update(policy_id, allowed_hostnames=["b.test"], name="renamed policy")
    assert (after.name, after.description) == ("renamed policy", "kept")
    assert after.egress.allowed_hostnames == ["b.test"]
    assert after.egress.allowed_cidrs == before.egress.allowed_cidrs
    assert after.update_time_ms > before.update_time_ms
    assert after.create_time_ms == before.create_time_ms
    cleared = client.network_policies.update(policy_id, allowed_hostnames=[], allowed_cidrs=[])
    assert (cleared.egress.allowed_hostnames, cleared.egress.allowed_cidrs) == ([], [])
    assert client.network_policies.update(policy_id).egress == cleared.egress


@pytest.mark.semantic
def test_names_are_unique(client: Runloop) -> None:
    client.network_policies.create(name="only one")
    with pytest.raises(BadRequestError) as error:
        client.network_policies.create(name="only one")
    assert error.value.body["field"] == "name"  # type: ignore[index, call-overload]
    other = client.network_policies.create(name="another one")
    with pytest.raises(BadRequestError):
        client.network_policies.update(other.id, name="only one")
    assert client.network_policies.update(other.id, name="another one").name == "another one"
    client.network_policies.delete(other.id)
    assert client.network_policies.create(name="another one").id != other.id


@pytest.mark.semantic
def test_a_repeated_create_makes_one(client: Runloop) -> None:
    first = client.network_policies.create(name="made once", idempotency_key="the-same")
    assert client.network_policies.create(name="made once", idempotency_key="the-same").id == first.id


@pytest.mark.semantic
def test_lists_find_by_id_name_and_search(client: Runloop) -> None:
    made = [client.network_policies.create(name=f"Lists {word}").id for word in ("Äpfel", "birnen", "äpfel 2")]
    assert [p.id for p in client.network_policies.list(name="ÄPFEL").network_policies] == [made[2], made[0]]
    assert [p.id for p in client.network_policies.list(id=made[1]).network_policies] == [made[1]]
    assert [p.id for p in client.network_policies.list(search=made[1]).network_policies] == [made[1]]
    assert [p.id for p in client.network_policies.list(search="birn").network_policies] == [made[1]]
    first = client.network_policies.list(name="lists ", limit=2)
    assert [p.id for p in first.network_policies] == [made[2], made[1]]
    assert (first.has_more, first.total_count) == (True, 3)
    rest = client.network_policies.list(name="lists ", limit=2, starting_after=made[1])
    assert [p.id for p in rest.network_policies] == [made[0]]
    assert client.network_policies.list(include_total_count=False).total_count is None


@pytest.mark.semantic
def test_unknown_policies_are_not_found(client: Runloop) -> None:
    for call in (client.network_policies.retrieve, client.network_policies.update, client.network_policies.delete):
        with pytest.raises(NotFoundError):
            call("npo_nope")
    with pytest.raises(NotFoundError) as error:
        client.devboxes.create(launch_parameters={"network_policy_id": "npo_nope"})
    assert error.value.body["field"] == "launch_parameters.network_policy_id"  # type: ignore[index, call-overload]


@pytest.mark.semantic
def test_a_policy_in_use_is_not_deleted(client: Runloop) -> None:
    policy_id = new_policy(client)
    devbox = client.devboxes.create(launch_parameters={"network_policy_id": policy_id})
    assert devbox.launch_parameters.network_policy_id == policy_id
    with pytest.raises(ConflictError) as error:
        client.network_policies.delete(policy_id)
    assert error.value.response.headers["x-should-retry"] == "false"
    assert devbox.id in str(error.value)
    client.devboxes.shutdown(devbox.id)
    assert client.network_policies.delete(policy_id).id == policy_id
    with pytest.raises(NotFoundError):
        client.network_policies.retrieve(policy_id)


_BAD: list[tuple[dict[str, Any], str]] = [
    ({}, "name"),
    ({"name": " "}, "name"),
    ({"name": "n" * 2000}, "name"),
    ({"name": "bad", "allowed_hostnames": ["*"]}, "allowed_hostnames.0"),
    ({"name": "bad", "allowed_hostnames": ["ok.test", "a.*.test"]}, "allowed_hostnames.1"),
    ({"name": "bad", "allowed_hostnames": ["*foo.test"]}, "allowed_hostnames.0"),
    ({"name": "bad", "allowed_hostnames": ["https://a.test/"]}, "allowed_hostnames.0"),
    ({"name": "bad", "allowed_hostnames": ["a.test:443"]}, "allowed_hostnames.0"),
    ({"name": "bad", "allowed_hostnames": ["1.2.3.4"]}, "allowed_hostnames.0"),
    ({"name": "bad", "allowed_hostnames": ["bücher.test"]}, "allowed_hostnames.0"),
    ({"name": "bad", "allowed_hostnames": [f"{'a' * 64}.test"]}, "allowed_hostnames.0"),
    ({"name": "bad", "allowed_hostnames": [""]}, "allowed_hostnames.0"),
    ({"name": "bad", "allowed_hostnames": ["a.test"] * 1001}, "allowed_hostnames"),
    ({"name": "bad", "allowed_cidrs": [{"cidr": "10.12.0.1/16"}]}, "allowed_cidrs.0.cidr"),
    ({"name": "bad", "allowed_cidrs": [{"cidr": "10.12.0.0"}]}, "allowed_cidrs.0.cidr"),
    ({"name": "bad", "allowed_cidrs": [{"cidr": "::/0"}]}, "allowed_cidrs.0.cidr"),
    ({"name": "bad", "allowed_cidrs": [{"cidr": "nonsense"}]}, "allowed_cidrs.0.cidr"),
    ({"name": "bad", "allowed_cidrs": [{}]}, "allowed_cidrs.0.cidr"),
    (
        {"name": "bad", "allowed_cidrs": [{"cidr": "8.8.8.8/32", "ports": [{"port": 0}]}]},
        "allowed_cidrs.0.ports.0.port",
    ),
    (
        {"name": "bad", "allowed_cidrs": [{"cidr": "8.8.8.8/32", "ports": [{"port": 9, "end_port": 8}]}]},
        "allowed_cidrs.0.ports.0",
    ),
    (
        {"name": "bad", "allowed_cidrs": [{"cidr": "8.8.8.8/32", "ports": [{"port": 9, "protocol": "ICMP"}]}]},
        "allowed_cidrs.0.ports.0.protocol",
    ),
    ({"name": "bad", "allow_all": "maybe"}, "allow_all"),
]


@pytest.mark.semantic
@pytest.mark.parametrize(("body", "field"), _BAD)
def test_bad_input_names_the_field(server: ServerProcess, body: dict[str, object], field: str) -> None:
    headers = {"Authorization": f"Bearer {server.api_key}"}
    answer = httpx.post(f"{server.base_url}/v1/network-policies", json=body, headers=headers)
    assert answer.status_code == 400, answer.text
    error = answer.json()
    assert error["field"].startswith(field)
    assert error["message"]
