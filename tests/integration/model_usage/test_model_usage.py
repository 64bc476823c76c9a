"""What boxes' calls of models have used: counted by the real gateway, limited, recorded and told."""

import json
from functools import reduce
from operator import add
from pathlib import Path
from typing import Any

import httpx
import pytest
from runloop_api_client import BadRequestError, Runloop
from typer.testing import CliRunner

from loopyard.cli import app
from loopyard.model_usage.metering.tokens import Tokens
from loopyard.model_usage.prices import Prices
from tests.integration.bench.benching import Bench
from tests.integration.bench.folders import write_tiny
from tests.integration.model_usage.conftest import CALLS, StartRun
from tests.integration.model_usage.model_server import HOSTS, SECRET, ModelServer
from tests.model_answers import ANSWERS, MESSAGES_TOKENS, TEXT
from tests.serving import ServerProcess


def told(tokens: Tokens) -> dict[str, int]:
    return {
        "input_tokens": tokens.input,
        "output_tokens": tokens.output,
        "cache_read_tokens": tokens.cache_read,
        "cache_write_tokens": tokens.cache_write,
        "reasoning_tokens": tokens.reasoning,
    }


def test_every_api_is_counted_and_priced(
    start_run: StartRun, client: Runloop, server: ServerProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    benchmark = client.benchmarks.create(name="models", scenario_ids=[])
    benchmark_run = client.benchmarks.start_run(benchmark_id=benchmark.id)
    run = start_run(benchmark_run_id=benchmark_run.id, metadata={"agent": "mine"})
    for number, name in enumerate(CALLS):
        encoding = ["plain", "gzip", "br", "zstd", "deflate"][number % 5]
        out = run.call(name, f"-o /dev/null -H 'Accept-Encoding: {encoding}'", query=f"encoding={encoding}")
        assert out.endswith("200"), out
    usage = run.until(lambda usage: usage["calls"] == len(CALLS))
    assert usage["counted"] == len(CALLS)
    tokens = reduce(add, (ANSWERS[name].tokens for name in CALLS))
    assert {key: usage[key] for key in told(tokens)} == told(tokens)
    prices = Prices({host: provider for provider, host in HOSTS.items()})
    costs = [
        prices.price(HOSTS[CALLS[name][0]], ANSWERS[name].api, ANSWERS[name].model, ANSWERS[name].tokens).nano_usd
        for name in CALLS
    ]
    assert usage["cost_usd"] == pytest.approx(sum(cost or 0 for cost in costs) / 1e9)
    assert all(costs)
    assert usage["unpriced"] == 0
    assert {one["model"] for one in usage["models"]} == {answer.model for answer in ANSWERS.values()}
    client.scenarios.runs.score_and_complete(run.id)
    assert run.manifest["model_usage"] == usage
    # A point of score is 1, and this run got a half of one.
    monkeypatch.setenv("RUNLOOP_BASE_URL", server.base_url)
    monkeypatch.setenv("RUNLOOP_API_KEY", server.api_key)
    ended = CliRunner().invoke(app, ["bench", "report", benchmark_run.id, "--format", "json"])
    assert ended.exit_code == 0, ended.output
    (contender,) = json.loads(ended.stdout)["contenders"]
    assert contender["usage"]["tokens_per_point"] == tokens.total * 2
    assert contender["usage"]["cost_usd_per_point"] == pytest.approx(usage["cost_usd"] * 2)
    assert contender["cost_usd"] == pytest.approx(usage["cost_usd"])


def test_a_bench_run_tells_what_each_attempt_used(
    client: Runloop, server: ServerProcess, models: ModelServer, tmp_path: Path
) -> None:
    secret = client.secrets.create(name="BENCH_KEY", value=SECRET)
    bearer: Any = {"type": "bearer"}
    gateway = client.gateway_configs.create(name="bench", endpoint=models.url("anthropic"), auth_mechanism=bearer)
    upstream = f'{{ gateway = "bench", secret = "{secret.id}" }}'
    launch = f"allowed_hostnames = []\n[environment.launch_parameters]\ngateways = {{ CLAUDE = {upstream} }}"
    marked = "[[scoring_functions]]"
    write_tiny(tmp_path / "suite", "calls", replace_1=marked, by_1=f"{launch}\n\n{marked}")
    curl = 'curl -sS -H "x-api-key: $CLAUDE" -d {} "$CLAUDE_URL/v1/messages" && echo hello > out.txt'
    ended = Bench(tmp_path / "suite", "--agent-command", curl, "--agent", "nop", server=server).wait()
    assert ended.status == 0, ended.err
    assert ended.result("calls", "nop")["model_usage"] is None
    (usage,) = [one["model_usage"] for one in ended.content["results"] if one["model_usage"] is not None]
    assert (usage["calls"], usage["input_tokens"]) == (1, MESSAGES_TOKENS.input)
    told = CliRunner().invoke(app, ["bench", "report", str(tmp_path / "suite.json")])
    assert f"{MESSAGES_TOKENS.total:,}" in told.output
    client.gateway_configs.delete(gateway.id)


def test_what_is_not_known_is_said(start_run: StartRun, models: ModelServer) -> None:
    run = start_run()
    run.call("messages-stream", query="cut=1")
    run.call("chat", query="status=500")
    pid = run.begin("responses-stream", query="held=1")
    assert models.held.acquire(timeout=20)
    run.shell(f"kill -9 {pid}")
    run.until(lambda usage: usage["cut_off"] == 2)
    models.hold.set()
    usage = run.usage
    models.hold.clear()
    assert {key: usage[key] for key in ("calls", "counted", "cut_off", "untold", "failed")} == {
        "calls": 3, "counted": 0, "cut_off": 2, "untold": 0, "failed": 1,
    }  # fmt: skip
    assert usage["input_tokens"] == MESSAGES_TOKENS.input  # what the start of the message told


def test_a_budget_of_tokens_is_kept(start_run: StartRun, client: Runloop) -> None:
    run = start_run(scenario={"loopyard.max_tokens": "9"}, metadata={"loopyard.max_tokens": "2000"})
    assert run.call("messages", "-o /dev/null").endswith("200")
    run.until(lambda usage: usage["calls"] == 1)
    for name, form in (
        ("messages", {"type": "error"}),
        ("chat", {"code": "insufficient_quota"}),
        ("responses-stream", {"type": "insufficient_quota"}),
        ("gemini", {"status": "RESOURCE_EXHAUSTED"}),
    ):
        body, _, status = run.call(name).rpartition("\n")
        assert status == "429"
        answer = json.loads(body)
        assert form.items() <= {**answer, **answer["error"], **({"type": "error"} if "type" in answer else {})}.items()
        assert "2876 of 2000 tokens" in answer["error"]["message"]
    (array,) = json.loads(run.call("gemini-array").rpartition("\n")[0])
    assert array["error"]["code"] == 429
    assert run.call("responses", "-i").splitlines()[0].startswith("HTTP/1.1 429")
    assert run.usage["calls"] == 1
    assert run.usage["budget"] == {"max_cost_usd": None, "max_tokens": 2000, "refused": True}
    client.scenarios.runs.score_and_complete(run.id)
    assert run.manifest["model_usage"]["budget"]["refused"] is True
    warnings = [entry for entry in client.devboxes.logs.list(run.devbox_id).logs if entry.level == "warning"]
    assert ["budget" in (entry.message or "") for entry in warnings] == [True]


def test_a_budget_of_dollars_is_kept_for_runs_of_a_benchmark_run(start_run: StartRun, client: Runloop) -> None:
    benchmark = client.benchmarks.create(name="models", scenario_ids=[])
    metadata = {"loopyard.max_cost_usd": "0.005"}
    benchmark_run = client.benchmarks.start_run(benchmark_id=benchmark.id, metadata=metadata)
    run = start_run(benchmark_run_id=benchmark_run.id)
    statuses: list[str] = []
    for calls in range(1, 4):
        statuses.append(run.call("chat", "-o /dev/null").rpartition("\n")[2])  # $0.003748 each
        run.until(lambda usage, calls=calls: usage["calls"] == min(calls, 2))
    assert statuses == ["200", "200", "429"]
    socket = "-H 'Connection: Upgrade' -H 'Upgrade: websocket' -X GET"
    assert run.call("responses", f"-o /dev/null {socket}").endswith("426")


@pytest.mark.parametrize(
    "metadata",
    [
        {"loopyard.max_cost_usd": "-1"},
        {"loopyard.max_cost_usd": "1e3"},
        {"loopyard.max_tokens": "many"},
        {"loopyard.record_model_calls": "yes"},
    ],
)
def test_a_budget_that_cannot_be_is_refused(client: Runloop, metadata: dict[str, str]) -> None:
    functions: Any = [{"name": "half", "weight": 1.0, "scorer": {"type": "bash_script_scorer", "bash_script": "true"}}]
    contract: Any = {"scoring_function_parameters": functions}
    made = client.scenarios.create(name="b", input_context={"problem_statement": "p"}, scoring_contract=contract)
    for refused in (
        lambda: client.scenarios.start_run(scenario_id=made.id, metadata=metadata),
        lambda: client.scenarios.update(made.id, metadata=metadata),
        lambda: client.benchmarks.start_run(
            benchmark_id=client.benchmarks.create(name="b", scenario_ids=[]).id, metadata=metadata
        ),
    ):
        with pytest.raises(BadRequestError, match=next(iter(metadata))):
            refused()


def test_calls_are_recorded_without_credentials(start_run: StartRun, server: ServerProcess) -> None:
    run = start_run(metadata={"loopyard.record_model_calls": "true"})
    for name in ("messages-stream", "chat-stream", "responses-stream", "gemini-stream", "gemini-array", "chat"):
        run.call(name, "-o /dev/null -H 'X-Api-Key: mine'", query="key=hidden&echo=1&encoding=gzip")
    run.until(lambda usage: usage["calls"] == 6)
    with run.logs as logs:
        raw = logs.read("model_calls.jsonl")
    lines = sorted((json.loads(line) for line in raw.splitlines()), key=lambda line: line["start_time_ms"])
    assert [line["usage"]["outcome"] for line in lines] == ["counted"] * 6
    for hidden in (SECRET, "gws_", "hidden", '"mine"'):
        assert hidden not in raw.decode()
    said = TEXT.replace("done", "[removed]")
    message, chat, response = (line["response"]["body"] for line in lines[:3])
    assert message["content"][0]["text"].split() == said.split()
    assert "".join(chat["choices"][0]["message"]["content"].split()) == "".join(said.split())
    assert response["output"][1]["content"][0]["text"] == said
    for gemini in (lines[3]["response"]["body"], lines[4]["response"]["body"]):
        assert gemini["candidates"][0]["content"]["parts"] == [{"text": said + "usageMetadata!"}]
    assert (server.data_dir / "gateway/recordings" / f"{run.devbox_id}.jsonl").stat().st_mode & 0o777 == 0o600


def test_nothing_is_recorded_that_nobody_asked_for(start_run: StartRun) -> None:
    run = start_run()
    run.call("chat", "-o /dev/null")
    run.until(lambda usage: usage["calls"] == 1)
    with run.logs as logs:
        assert "model_calls.jsonl" not in logs.namelist()


def test_devboxes_and_strangers(start_run: StartRun, raw: httpx.Client) -> None:
    run = start_run()
    run.call("chat", "-o /dev/null")
    usage = run.until(lambda usage: usage["calls"] == 1)
    assert raw.get(f"/v1/devboxes/{run.devbox_id}/model_usage").json() == usage
    for path in ("/v1/devboxes/dbx_none", "/v1/scenarios/runs/scr_none", "/v1/benchmark_runs/bmr_none"):
        assert raw.get(f"{path}/model_usage").status_code == 404
