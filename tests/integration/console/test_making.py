"""Keys, secrets and network policies made by pages, with the services of the API, by those who may."""

import json
import re
import time
from collections.abc import Generator
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from runloop_api_client import Runloop

from tests.console import Console
from tests.serving import ServerProcess

HOSTILE = "<script>alert(1)</script>\u202egnp.exe"


def _safe(html: str) -> str:
    assert "<script>alert" not in html
    assert "\u202e" not in html
    return html


@pytest.fixture
def restricted(server: ServerProcess) -> Generator[Console]:
    """A console, logged in with a key that changes the account, but only reads devboxes."""
    scopes: Any = [
        {"resource_type": "RESOURCE_TYPE_ACCOUNT", "access_level": "ACCESS_LEVEL_WRITE"},
        {"resource_type": "RESOURCE_TYPE_DEVBOXES", "access_level": "ACCESS_LEVEL_READ"},
    ]
    with server.client() as client, Console(server.base_url) as console:
        console.log_in(str(client.restricted_keys.create(name="account", scopes=scopes).key_secret))
        yield console


@pytest.fixture
def reader(server: ServerProcess) -> Generator[Console]:
    """A console, logged in with a key that reads the account only."""
    scopes: Any = [{"resource_type": "RESOURCE_TYPE_ACCOUNT", "access_level": "ACCESS_LEVEL_READ"}]
    with server.client() as client, Console(server.base_url) as console:
        console.log_in(str(client.restricted_keys.create(name="reads", scopes=scopes).key_secret))
        yield console


def _secret_of(html: str) -> str:
    found = re.search(r"Keep it now:</p><pre[^>]*><code>([^<]+)</code>", html)
    assert found is not None
    return found[1]


def test_a_restricted_key_is_made_and_its_secret_shown_once(console: Console, server: ServerProcess) -> None:
    given = {"name": HOSTILE, "days": "3", "RESOURCE_TYPE_DEVBOXES": "ACCESS_LEVEL_READ"}
    html = _safe(console.change("/keys/restricted", given, expect=200).text)
    secret = _secret_of(html)
    assert secret not in _safe(console.page("/keys"))
    assert "devboxes: read" in html
    with Console(server.base_url) as other:
        other.log_in(secret)
        other.page("/devboxes")
        other.change("/devboxes", expect=403)
        other.page("/keys", expect=403)


def test_keys_end_when_they_were_told_to(console: Console, client: Runloop) -> None:
    console.change("/keys", {"name": "for a day", "days": "1"}, expect=200)
    listed = client.get("/v1/apikeys", cast_to=object)
    [made] = [one for one in json.loads(json.dumps(listed))["api_keys"] if one["name"] == "for a day"]
    assert abs(made["expires_at_ms"] / 1000 - time.time() - 86400) < 60
    console.change(f"/keys/{made['id']}/revoke")


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"days": "0"}, "days: "),
        ({"days": "x"}, "days: "),
        ({"days": "99999"}, "days: "),
        ({"name": "\0"}, "name"),
        ({"name": "x" * 5000}, "name"),
        ({"RESOURCE_TYPE_DEVBOXES": "ALL"}, "access_level"),
    ],
)
def test_keys_that_cannot_be_are_refused(console: Console, given: dict[str, str], told: str) -> None:
    assert told in console.change("/keys/restricted", given, expect=400).text


def test_a_restricted_key_offers_and_gives_no_more_than_it_has(restricted: Console) -> None:
    html = restricted.page("/keys")
    assert "Make a key" not in html
    devboxes = re.search(r'<select name="RESOURCE_TYPE_DEVBOXES">(.*?)</select>', html)
    assert devboxes is not None
    assert re.findall(r'value="([A-Z_]+)"', devboxes[1]) == ["ACCESS_LEVEL_NONE", "ACCESS_LEVEL_READ"]
    wider = {"RESOURCE_TYPE_DEVBOXES": "ACCESS_LEVEL_WRITE"}
    assert "gives no right that it lacks" in restricted.change("/keys/restricted", wider, expect=403).text
    restricted.change("/keys/restricted", {"RESOURCE_TYPE_DEVBOXES": "ACCESS_LEVEL_READ"}, expect=200)
    restricted.change("/keys", expect=403)


def test_a_secret_is_made_changed_and_never_shown(console: Console, client: Runloop) -> None:
    value = f"first\nsecond {HOSTILE}"
    sent = value.replace("\n", "\r\n")  # as browsers do
    path = console.change("/secrets/create", {"name": "MADE_BY_PAGE", "value": sent}).headers["location"]
    html = _safe(console.page(path.removeprefix("/console")))
    assert "second" not in html
    made = client.devboxes.create_and_await_running(secrets={"GIVEN": "MADE_BY_PAGE"})
    shown = client.devboxes.execute_sync(made.id, command='printf %s "$GIVEN"')
    assert shown.stdout == value
    client.devboxes.shutdown(made.id)
    console.change(f"{path.removeprefix('/console')}/update", {"value": "third"})
    made = client.devboxes.create_and_await_running(secrets={"GIVEN": "MADE_BY_PAGE"})
    assert client.devboxes.execute_sync(made.id, command='printf %s "$GIVEN"').stdout == "third"
    client.devboxes.shutdown(made.id)
    console.change(f"{path.removeprefix('/console')}/delete")


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"name": HOSTILE, "value": "told"}, "name"),
        ({"name": "X", "value": ""}, "value"),
        ({"name": "X", "value": "told\0"}, "value"),
        ({"name": "X", "value": "told" * 30_000}, "value"),
    ],
)
def test_a_secret_that_cannot_be_is_refused_without_its_value(
    console: Console, given: dict[str, str], told: str
) -> None:
    html = _safe(console.change("/secrets/create", given, expect=400).text)
    problem = html.partition('role="alert">')[2].partition("</p>")[0]
    assert told in problem
    assert "told" not in problem


def test_a_network_policy_is_made(console: Console, client: Runloop) -> None:
    given = {
        "name": f"by page {HOSTILE}",
        "description": HOSTILE,
        "hostnames": "packages.example.com\r\n*.example.org\r\n",
        "networks": "10.12.0.0/16 443/tcp 8000-8100\r\n\r\n10.13.0.0/16",
        "allow": ["allow_agent_gateway", "allow_mcp_gateway"],
    }
    path = console.change("/network-policies/create", given).headers["location"]
    _safe(console.page(path.removeprefix("/console")))
    _safe(console.page("/network-policies"))
    made = client.network_policies.retrieve(path.rpartition("/")[2])
    assert made.name == given["name"]
    assert made.egress.allowed_hostnames == ["packages.example.com", "*.example.org"]
    assert (made.egress.allow_all, made.egress.allow_agent_gateway, made.egress.allow_mcp_gateway) == (
        False,
        True,
        True,
    )
    listed: Any = client.get(f"/v1/network-policies/{made.id}", cast_to=object)
    first, second = listed["egress"]["allowed_cidrs"]
    assert first["cidr"] == "10.12.0.0/16"
    assert [(one["port"], one.get("end_port"), one.get("protocol")) for one in first["ports"]] == [
        (443, None, "TCP"),
        (8000, 8100, None),
    ]
    assert second["cidr"] == "10.13.0.0/16"
    client.network_policies.delete(made.id)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"name": ""}, "name"),
        ({"name": "x", "hostnames": HOSTILE}, "allowed_hostnames.0"),
        ({"name": "x", "networks": "10.0.0.1/8"}, "10.0.0.0/8"),
        ({"name": "x", "networks": f"10.0.0.0/8 {HOSTILE}"}, "networks: "),
        ({"name": "x", "networks": "10.0.0.0/8 99999"}, "allowed_cidrs.0"),
        ({"name": "x", "networks": "10.0.0.0/8 90-80"}, "end_port"),
        ({"name": "\0"}, "name"),
    ],
)
def test_a_network_policy_that_cannot_be_is_refused(console: Console, given: dict[str, str], told: str) -> None:
    assert told in _safe(console.change("/network-policies/create", given, expect=400).text)


_CHANGES = ("/keys/restricted", "/secrets/create", "/network-policies/create", "/secrets/sec_x/update")


def test_who_only_reads_is_offered_and_does_nothing(reader: Console) -> None:
    for path in ("/keys", "/secrets", "/network-policies"):
        assert "<summary>Make a" not in reader.page(path)
    for path in _CHANGES:
        reader.change(path, {"name": "x", "value": "x"}, expect=403)


def test_nothing_is_made_without_the_token_of_a_page(console: Console) -> None:
    for path in _CHANGES:
        assert console.post(f"/console{path}", data={"name": "x", "value": "x"}).status_code == 403


def test_what_was_made_is_in_the_audit_log_without_values(console: Console, server: ServerProcess) -> None:
    path = console.change("/secrets/create", {"name": "AUDITED", "value": "the-value"}).headers["location"]
    made = path.rpartition("/")[2]
    lines = ""
    for _ in range(50):
        lines = "".join(one.read_text() for one in Path(server.data_dir, "audit").iterdir())
        if made in lines:
            break
        time.sleep(0.1)
    [entry] = [json.loads(line) for line in lines.splitlines() if made in line]
    assert (entry["operation"], entry["made"]) == ("POST /v1/secrets", made)
    assert "the-value" not in lines
    console.change(f"/secrets/{made}/delete")


def _form_of(html: str) -> dict[str, Any]:
    """The form that changes a policy, as a browser reads and sends it."""
    form = re.search(r'<form [^>]*action="[^"]*/update".*?</form>', html, re.DOTALL)
    assert form is not None
    text = form[0]
    areas = re.findall(r'<textarea name="([a-z]+)"[^>]*>\n(.*?)</textarea>', text, re.DOTALL)
    inputs = re.findall(r'<input (?:type="hidden" )?name="([a-z]+)"[^>]*? value="([^"]*)"', text)
    given = {name: unescape(value).replace("\n", "\r\n") for name, value in [*inputs, *areas] if name != "csrf"}
    return {**given, "allow": re.findall(r'name="allow" value="([a-z_]+)" checked', text)}


@pytest.mark.semantic
def test_a_network_policy_is_changed(console: Console, client: Runloop, reader: Console) -> None:
    hosts = [f"host-{number}.example.com" for number in range(1000)]
    made = client.network_policies.create(
        name=f"before {HOSTILE}",
        description=f"one\ntwo {HOSTILE} ",
        allowed_hostnames=hosts,
        allow_all=True,
        extra_body={"allowed_cidrs": [{"cidr": "10.12.0.0/16", "ports": [{"port": 8000, "end_port": 8100}]}]},
    )
    path = f"/network-policies/{made.id}"
    given = _form_of(_safe(console.page(path)))
    assert given["hostnames"].split() == hosts
    console.change(f"{path}/update", given)
    assert client.network_policies.retrieve(made.id) == made, "what was not touched was changed"
    assert "Nothing was changed." in console.page(path)
    given |= {"name": "after", "hostnames": hosts[0], "networks": f"{given['networks']}\r\n10.13.0.0/16 1/udp"}
    console.change(f"{path}/update", {**given, "allow": ["allow_mcp_gateway"]})
    after = client.network_policies.retrieve(made.id)
    assert (after.name, after.description) == ("after", made.description)
    assert after.egress.allowed_hostnames == hosts[:1]
    assert (after.egress.allow_all, after.egress.allow_mcp_gateway) == (False, True)
    assert after.egress.allow_devbox_to_devbox is False, "it was told only as a part of allow_all"
    told: Any = client.get(f"/v1/network-policies/{made.id}", cast_to=object)
    assert told["egress"]["allowed_cidrs"] == [
        {"cidr": "10.12.0.0/16", "ports": [{"port": 8000, "end_port": 8100, "protocol": None}]},
        {"cidr": "10.13.0.0/16", "ports": [{"port": 1, "end_port": None, "protocol": "UDP"}]},
    ]
    assert "changed since the page was loaded" in console.change(f"{path}/update", given, expect=409).text
    fresh = _form_of(console.page(path))
    assert "allowed_hostnames.0" in console.change(f"{path}/update", {**fresh, "hostnames": "b:1"}, expect=400).text
    assert "name" in console.change(f"{path}/update", {**fresh, "name": " "}, expect=400).text
    assert client.network_policies.retrieve(made.id) == after
    reader.change(f"{path}/update", fresh, expect=403)
    client.network_policies.delete(made.id)
