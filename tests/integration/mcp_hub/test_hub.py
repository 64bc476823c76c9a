"""What a real MCP client in a devbox does with real MCP servers, through the hub."""

import json
from typing import Any
from uuid import uuid4

import pytest
from runloop_api_client import Runloop

from tests.integration.benchmark_job.making import agent, only, start, wait
from tests.integration.gateway.conftest import Box
from tests.integration.mcp_hub.conftest import KEY, McpBox, new_config
from tests.integration.mcp_hub.front import Front
from tests.integration.scenario.definitions import bash, scenario


def _of(told: list[dict[str, Any]], kind: str) -> list[Any]:
    return [one[kind] for one in told if kind in one]


@pytest.mark.parametrize("mode", ["legacy", "auto"])
def test_tools_of_all_servers_behind_one_url(box: McpBox, mode: str) -> None:
    told = box.talk(
        ("tools", None),
        ("clock.convert_time", {"source_timezone": "UTC", "time": "12:00", "target_timezone": "Asia/Tokyo"}),
        ("every.echo", {"message": "hello"}),
        mode=mode,
    )
    names = _of(told, "tools")[0]
    assert {"clock.convert_time", "clock.get_current_time", "every.echo", "every.get-sum"} <= set(names)
    assert not [name for name in names if "elicitation" in name or "gzip" in name], (
        "a tool that is not allowed is listed"
    )
    converted, echoed = _of(told, "result")
    assert "21:00" in converted[0]["text"]
    assert "hello" in echoed[0]["text"]


def test_tools_that_are_not_allowed_are_not_called(box: McpBox, everything: Front) -> None:
    told = box.talk(("every.gzip-file-as-resource", {}), ("nobody.echo", {}), ("every.get-sum", {"a": 2, "b": 3}))
    assert [code for code, _ in _of(told, "error")] == [-32602, -32602]
    assert "5" in _of(told, "result")[0][0]["text"]
    assert all(asked.get("x-key") == KEY for asked in everything.asked)
    token = box.run("echo $RL_MCP_TOKEN")[1].strip()
    assert not [asked for asked in everything.asked if token in json.dumps(asked)]


def test_what_servers_say_by_themselves_passes(box: McpBox) -> None:
    told = box.talk(
        ("every.trigger-long-running-operation", {"duration": 1, "steps": 4}),
        ("every.trigger-sampling-request", {"prompt": "say something", "maxTokens": 7}),
        ("every.toggle-simulated-logging", {}),
        token="EVERY",
    )
    assert [done for done, total, _ in _of(told, "progress") if total == 4] == [1, 2, 3, 4]
    assert _of(told, "sampled") == [7]
    assert "what the model says" in json.dumps(_of(told, "result")[1])
    assert _of(told, "log"), "a log message is sent as soon as logging is turned on"


def test_a_token_stands_for_its_own_configuration(box: McpBox) -> None:
    only_clock = _of(box.talk(("tools", None), ("get_current_time", {"timezone": "UTC"}), token="CLOCK"), "tools")[0]
    assert {name.partition(".")[0] for name in only_clock} == {"clock"}
    specs = box.client.devboxes.retrieve(box.id).mcp_specs
    assert specs is not None
    assert set(specs) == {"CLOCK", "EVERY"}
    assert box.run("echo $RL_MCP_URL")[1].strip().endswith("/mcp")
    minted = box.client.devboxes.create_mcp_token(
        box.id, mcp_config=specs["CLOCK"].mcp_config_id, secret=specs["CLOCK"].secret_id
    )
    assert (minted.allowed_tools, minted.token[:4]) == (["clock.*"], "mcp_")
    assert _initialize(box, minted.token)[0] == 200


def test_tokens_are_checked(box: McpBox, everything: Front) -> None:
    asked = len(everything.asked)
    for token in ("", "mcp_" + "A" * 43, "gws_" + "A" * 43):
        assert _initialize(box, token)[0] == 401
    other = Box(box.client, box.client.devboxes.create_and_await_running().id)
    try:
        assert (
            _initialize(other, box.run("echo $RL_MCP_TOKEN")[1].strip(), box.run("echo $RL_MCP_URL")[1].strip())[0]
            == 401
        )
        assert len(everything.asked) == asked
    finally:
        box.client.devboxes.shutdown(other.id)


def test_faults_of_a_server_are_told(box: McpBox, everything: Front) -> None:
    token = box.run("echo $EVERY")[1].strip()
    answers = {
        401: (401, "application/json", "{}"),
        403: (403, "text/plain", "no"),
        502: (200, "text/html", "<html>"),
    }
    try:
        for expected, answer in answers.items():
            everything.answer_with = answer
            status, body = _initialize(box, token)
            assert (status, "every-thing" in body) == (expected, True), answer
        everything.answer_with = (500, "text/plain", "oh")
        assert _initialize(box, token)[0] == 502
        told = box.talk(("tools", None))
        assert _of(told, "tools")[0], "the other server's tools are still there"
    finally:
        everything.answer_with = None
    assert _initialize(box, token)[0] == 200


def test_a_session_that_the_server_has_forgotten_is_opened_anew(box: McpBox, everything: Front) -> None:
    everything.calls_until_forgotten = 1
    words = ["before", "forgotten", "after"]
    told = box.talk(*[("every.echo", {"message": word}) for word in words])
    assert everything.calls_until_forgotten is None
    assert [parts[0]["text"] for parts in _of(told, "result")] == [f"Echo: {word}" for word in words]
    assert _of(told, "error") == []


def test_the_real_key_is_nowhere_in_the_box(box: McpBox) -> None:
    box.talk(("every.get-env", {}))
    assert KEY not in box.run("env; cat /proc/[0-9]*/environ | tr '\\0' '\\n'")[1]
    assert box.run(f"grep -rlsF '{KEY}' / --exclude-dir=proc --exclude-dir=sys; true")[1].strip() == ""


def _initialize(box: Box, token: str, url: str = "$RL_MCP_URL") -> tuple[int, str]:
    """Status and body of the answer to a session's first request."""
    message = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "initialize",
        "params": {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "x", "version": "1"}},
    }
    headers = "-H 'Content-Type: application/json' -H 'Accept: application/json, text/event-stream'"
    body = json.dumps(message)
    out = box.run(
        f"curl -sS -m 20 -w '\\n%{{http_code}}' -H 'Authorization: Bearer {token}' {headers} -d '{body}' {url}"
    )[1]
    text, _, status = out.rpartition("\n")
    return int(status), text


@pytest.mark.parametrize("source", ["scenario", "run profile", "benchmark run", "job"])
def test_servers_of_runs_and_jobs(client: Runloop, clock: Front, source: str) -> None:
    name = f"clock-{uuid4().hex[:8]}"
    new_config(client, name, clock, ["clock.*"])
    mcp: Any = {"CLOCK": {"mcp_config": name, "secret": "MCP_KEY"}}
    accept = "-H 'accept: application/json, text/event-stream' -H 'content-type: application/json'"
    hello = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
    message = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello})
    call = f'curl -sS {accept} -H "Authorization: Bearer $CLOCK" -d \'{message}\' "$RL_MCP_URL"'
    judge = bash("told", "grep -q serverInfo ~/told && echo score=1.0 || echo score=0.0")
    environment = {"launch_parameters": {"mcp": mcp}} if source == "scenario" else {}
    made = client.scenarios.create(
        **scenario(judge, name=name, reference_output=f"{call} > ~/told", environment_parameters=environment)
    ).id
    if source == "job":
        outcome = only(wait(client, start(client, [made], agent(agent_environment={"mcp": mcp}))))
        assert (outcome.state, outcome.score) == ("COMPLETED", 1.0)
        return
    profile: Any = {"mcp": mcp}
    joined: dict[str, Any] = {}
    if source == "run profile":
        joined["run_profile"] = profile
    elif source == "benchmark run":
        benchmark = client.benchmarks.create(name=name, scenario_ids=[made])
        joined["benchmark_run_id"] = client.benchmarks.start_run(benchmark_id=benchmark.id, run_profile=profile).id
    run = client.scenarios.start_run_and_await_env_ready(scenario_id=made, **joined)
    client.devboxes.execute(run.devbox_id, command=f"{call} > ~/told", command_id=str(uuid4()))
    client.scenarios.runs.score_and_await(run.id)
    result = client.scenarios.runs.complete(run.id).scoring_contract_result
    assert result is not None
    assert result.score == 1.0
