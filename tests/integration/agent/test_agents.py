"""Agents through the official client: made, found, counted and deleted."""

from typing import Any

import httpx
import pytest
from runloop_api_client import APIStatusError, BadRequestError, NotFoundError, Runloop
from runloop_api_client.types import AgentView

from tests.integration.agent.making import from_archive, mount, uploaded
from tests.serving import ServerProcess

PIP = {"type": "pip", "pip": {"package_name": "own-agent"}}


def _make(client: Runloop, name: str, version: str | None = None, source: Any = PIP) -> AgentView:
    return client.agents.create(name=name, version=version, source=source)


@pytest.mark.semantic
def test_an_agent_is_found_as_it_was_made_and_gone_when_deleted(client: Runloop) -> None:
    source = {
        "type": "git",
        "git": {"repository": "https://git.test/a/b.git", "ref": "main", "agent_setup": ["make", "make install"]},
    }
    made = _make(client, "found", "1.0", source)
    assert made.id.startswith("agt_")
    assert (made.name, made.version, made.is_public) == ("found", "1.0", False)
    assert made.source is not None
    assert made.source.model_dump(exclude_none=True) == source
    assert client.agents.retrieve(made.id) == made
    assert client.agents.delete(made.id) == {}
    for call in (client.agents.retrieve, client.agents.delete):
        with pytest.raises(NotFoundError) as raised:
            call(made.id)
        assert raised.value.body["field"] == "id"  # type: ignore[index, call-overload]


@pytest.mark.semantic
def test_an_agent_needs_no_source_and_no_version(client: Runloop) -> None:
    bare = client.agents.create(name="bare")
    assert (bare.source, bare.version) == (None, None)
    with pytest.raises(BadRequestError, match="no source"):
        client.devboxes.create(mounts=[mount(bare)])


@pytest.mark.semantic
def test_lists_are_narrowed_by_name_search_version_and_visibility(client: Runloop) -> None:
    old, new = _make(client, "Narrowed-One", "1.0"), _make(client, "Narrowed-One", "2.0")
    other = _make(client, "narrowed-two", "1.0")

    def found(**filters: Any) -> list[str]:
        page = client.agents.list(limit=5000, **filters)
        assert page.total_count == len(page.agents)
        return [agent.id for agent in page.agents]

    assert found(name="nArrowed") == [other.id, new.id, old.id]
    assert found(name="narrowed", version="1.0") == [other.id, old.id]
    assert found(name="narrowed", version="latest") == [other.id, new.id]
    assert found(search=old.id) == [old.id]
    assert found(search="rowed-one") == [new.id, old.id]
    assert found(name="narrowed", is_public=True) == []
    assert found(name="narrowed", is_public=False) == [other.id, new.id, old.id]
    assert found(name="100%") == []
    first = client.agents.list(name="narrowed", limit=2)
    rest = client.agents.list(name="narrowed", limit=2, starting_after=first.agents[-1].id, include_total_count=False)
    assert [agent.id for agent in (*first.agents, *rest.agents)] == [other.id, new.id, old.id]
    assert (first.has_more, rest.has_more, rest.total_count) == (True, False, None)
    with pytest.raises(BadRequestError):
        client.agents.list(limit=5001)


@pytest.mark.semantic
def test_the_kinds_that_come_with_the_server_are_public_and_stay(client: Runloop) -> None:
    public = {agent.name: agent for agent in client.agents.list_public(limit=5000)}
    assert {"claude-code", "codex", "opencode", "gemini-cli", "mini-swe-agent"} <= public.keys()
    assert all(agent.is_public for agent in public.values())
    mini = public["mini-swe-agent"]
    assert mini.source is not None
    assert mini.source.pip is not None
    assert mini.source.pip.package_name == "mini-swe-agent"
    assert client.agents.retrieve(mini.id) == mini
    assert [one.id for one in client.agents.list_public(name="SWE", version="latest").agents] == [mini.id]
    assert mini.id not in [agent.id for agent in client.agents.list(limit=5000)]
    with pytest.raises(NotFoundError):
        client.agents.delete(mini.id)


@pytest.mark.semantic
@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "x" * 1025}, "name"),
        ({"source": {"type": "pip"}}, "source"),
        ({"source": {"type": "npm", "pip": {"package_name": "a"}}}, "source"),
        ({"source": {**PIP, "npm": {"package_name": "a"}}}, "source"),
        ({"source": {"type": "cargo"}}, "source.type"),
        ({"source": {"type": "pip", "pip": {"package_name": "--index-url=x"}}}, "source.pip.package_name"),
        ({"source": {"type": "pip", "pip": {"package_name": "a b"}}}, "source.pip.package_name"),
        ({"source": {"type": "npm", "npm": {"package_name": "-g"}}}, "source.npm.package_name"),
        ({"source": {"type": "git", "git": {"repository": "file:///etc"}}}, "source.git.repository"),
        ({"source": {"type": "git", "git": {"repository": "https://u:canary@git.test/a"}}}, "source.git.repository"),
        ({"source": {"type": "git", "git": {"repository": "https://git.test/a", "ref": "-x"}}}, "source.git.ref"),
        (
            {"source": {"type": "pip", "pip": {"package_name": "a", "registry_url": "https://u:canary@p.test"}}},
            "source.pip.registry_url",
        ),
        ({"source": PIP, "version": "1.0; rm"}, "version"),
        ({"source": {"type": "git", "git": {"repository": "https://git.test/a"}}, "version": "a b"}, "version"),
        ({"version": ""}, "version"),
    ],
)
def test_what_cannot_be_an_agent_is_refused_by_its_field(server: ServerProcess, params: Any, field: str) -> None:
    answer = httpx.post(
        f"{server.base_url}/v1/agents",
        json={"name": "refused", **params},
        headers={"Authorization": f"Bearer {server.api_key}"},
    )
    assert answer.status_code == 400
    assert "canary" not in answer.text
    assert answer.json()["field"] == field


@pytest.mark.semantic
def test_mounts_that_name_nothing_that_can_be_installed_are_refused(client: Runloop) -> None:
    agent = from_archive(client, "refused-mount")
    waiting = client.objects.create(name="waiting", content_type="tgz")
    early = client.agents.create(name="early", source={"type": "object", "object": {"object_id": waiting.id}})
    cases: list[tuple[Any, str]] = [
        ({"type": "agent_mount", "agent_id": None, "agent_name": None}, "mounts.0.agent_id"),
        (mount("agent of no such name"), "mounts.0.agent_name"),
        ({**mount(agent), "agent_id": "agt_none"}, "mounts.0.agent_id"),
        (mount(agent, None), "mounts.0.agent_path"),
        (mount(agent, auth_token="two\nlines"), "mounts.0.auth_token"),
        (mount(early), "mounts.0.agent_id"),
    ]
    for given, field in cases:
        with pytest.raises(APIStatusError) as raised:
            client.devboxes.create(mounts=[given])
        assert raised.value.body["field"] == field, given  # type: ignore[index, call-overload]
    with pytest.raises(NotFoundError) as missing:
        client.agents.create(name="x", source={"type": "object", "object": {"object_id": "obj_none"}})
    assert missing.value.body["field"] == "source.object.object_id"  # type: ignore[index, call-overload]


@pytest.mark.semantic
def test_a_repeated_create_makes_one(client: Runloop) -> None:
    headers = {"x-request-id": "one-agent"}
    first = client.agents.create(name="repeated", extra_headers=headers)
    assert client.agents.create(name="repeated", extra_headers=headers) == first


def test_devboxes_are_counted_by_the_names_of_their_agents(client: Runloop) -> None:
    one, two = from_archive(client, "counted-one"), from_archive(client, "counted-two")
    again = client.agents.create(name="counted-one", source={"type": "object", "object": _object_of(one)})
    boxes = [
        client.devboxes.create_and_await_running(mounts=mounts)
        for mounts in ([mount(one)], [mount(again)], [mount(one), mount(two, "/home/user/two")])
    ]
    client.agents.create(name="counted-none")
    for box in boxes:
        client.devboxes.shutdown(box.id)
    client.agents.delete(two.id)
    counted = client.agents.devbox_counts()
    assert [counted.counts[f"counted-{name}"] for name in ("one", "two", "none")] == [3, 1, 0]
    assert counted.total_count == sum(counted.counts.values())


def _object_of(agent: AgentView) -> Any:
    assert agent.source is not None
    assert agent.source.object is not None
    return {"object_id": agent.source.object.object_id}


@pytest.mark.semantic
def test_an_agent_from_a_single_file_is_written_to_its_path(client: Runloop) -> None:
    object_id = uploaded(client, b"#!/bin/sh\necho single\n", "text")
    source: Any = {"type": "object", "object": {"object_id": object_id, "agent_setup": ["chmod +x tool"]}}
    agent = client.agents.create(name="single", source=source)
    devbox = client.devboxes.create_and_await_running(mounts=[mount(agent, "~/bin/tool")])
    result = client.devboxes.execute_and_await_completion(devbox.id, command="bin/tool; stat -c %U bin bin/tool")
    assert result.stdout == "single\nuser\nuser\n"
    client.devboxes.shutdown(devbox.id)
