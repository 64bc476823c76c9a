"""The rights that each operation needs: the one table, by method and path.

An operation needs all the rights of its entry. `TOKEN` marks those that are not called with an API key but with a token
or signature that was made with one, and lives no longer than it. READ is for what changes nothing, WRITE for the rest.
Secrets, network policies and the configurations of gateways and MCP servers belong to the account; axons belong to the
devboxes, scorers to the scenarios. What a request names needs READ besides: see `acting.require`.

Every operation of the contract has an entry, and so has every route.
"""

import re
from collections.abc import Mapping

from loopyard.identity.scopes import Level, Resource

Needs = tuple[tuple[Resource, Level], ...]

TOKEN: Needs = ()

_DEVBOX_READ: Needs = ((Resource.DEVBOXES, Level.READ),)
_DEVBOX_WRITE: Needs = ((Resource.DEVBOXES, Level.WRITE),)
_BLUEPRINT_READ: Needs = ((Resource.BLUEPRINTS, Level.READ),)
_BLUEPRINT_WRITE: Needs = ((Resource.BLUEPRINTS, Level.WRITE),)
_SNAPSHOT_READ: Needs = ((Resource.SNAPSHOTS, Level.READ),)
_SNAPSHOT_WRITE: Needs = ((Resource.SNAPSHOTS, Level.WRITE),)
_BENCHMARK_READ: Needs = ((Resource.BENCHMARKS, Level.READ),)
_BENCHMARK_WRITE: Needs = ((Resource.BENCHMARKS, Level.WRITE),)
_SCENARIO_READ: Needs = ((Resource.SCENARIOS, Level.READ),)
_SCENARIO_WRITE: Needs = ((Resource.SCENARIOS, Level.WRITE),)
_AGENT_READ: Needs = ((Resource.AGENTS, Level.READ),)
_AGENT_WRITE: Needs = ((Resource.AGENTS, Level.WRITE),)
_OBJECT_READ: Needs = ((Resource.OBJECTS, Level.READ),)
_OBJECT_WRITE: Needs = ((Resource.OBJECTS, Level.WRITE),)
_ACCOUNT_READ: Needs = ((Resource.ACCOUNT, Level.READ),)
_ACCOUNT_WRITE: Needs = ((Resource.ACCOUNT, Level.WRITE),)

OPERATIONS: Mapping[str, Needs] = {
    "GET /pty/{}": TOKEN,
    "POST /pty/{}/control": TOKEN,
    "GET /v1/accounts/me": _ACCOUNT_READ,
    "POST /v1/agents": _AGENT_WRITE,
    "GET /v1/agents": _AGENT_READ,
    "GET /v1/agents/devbox_counts": _AGENT_READ,
    "GET /v1/agents/list_public": _AGENT_READ,
    "GET /v1/agents/{}": _AGENT_READ,
    "POST /v1/agents/{}/delete": _AGENT_WRITE,
    "POST /v1/apikeys": _ACCOUNT_WRITE,
    "GET /v1/apikeys": _ACCOUNT_READ,
    "DELETE /v1/apikeys/{}": _ACCOUNT_WRITE,
    "POST /v1/restricted_keys": _ACCOUNT_WRITE,
    "POST /v1/axons": _DEVBOX_WRITE,
    "GET /v1/axons": _DEVBOX_READ,
    "GET /v1/axons/{}": _DEVBOX_READ,
    "POST /v1/axons/{}": _DEVBOX_WRITE,
    "DELETE /v1/axons/{}": _DEVBOX_WRITE,
    "GET /v1/axons/{}/events": _DEVBOX_READ,
    "POST /v1/axons/{}/publish": _DEVBOX_WRITE,
    "POST /v1/axons/{}/sql/batch": _DEVBOX_WRITE,  # a statement may write
    "POST /v1/axons/{}/sql/query": _DEVBOX_WRITE,
    "GET /v1/axons/{}/subscribe/sse": _DEVBOX_READ,
    # A job starts scenario runs, and these have devboxes.
    "POST /v1/benchmark_jobs": _BENCHMARK_WRITE + _SCENARIO_WRITE + _DEVBOX_WRITE,
    "GET /v1/benchmark_jobs": _BENCHMARK_READ,
    "GET /v1/benchmark_jobs/{}": _BENCHMARK_READ,
    "GET /v1/benchmark_runs": _BENCHMARK_READ,
    "GET /v1/benchmark_runs/{}": _BENCHMARK_READ,
    "POST /v1/benchmark_runs/{}/cancel": _BENCHMARK_WRITE,
    "POST /v1/benchmark_runs/{}/complete": _BENCHMARK_WRITE,
    "GET /v1/benchmark_runs/{}/model_usage": _BENCHMARK_READ + _SCENARIO_READ,
    "GET /v1/benchmark_runs/{}/scenario_runs": _BENCHMARK_READ + _SCENARIO_READ,
    "POST /v1/benchmarks": _BENCHMARK_WRITE,
    "GET /v1/benchmarks": _BENCHMARK_READ,
    "GET /v1/benchmarks/list_public": _BENCHMARK_READ,
    "POST /v1/benchmarks/start_run": _BENCHMARK_WRITE,
    "GET /v1/benchmarks/{}": _BENCHMARK_READ,
    "POST /v1/benchmarks/{}": _BENCHMARK_WRITE,
    "GET /v1/benchmarks/{}/definitions": _BENCHMARK_READ + _SCENARIO_READ,
    "POST /v1/benchmarks/{}/scenarios": _BENCHMARK_WRITE,
    "POST /v1/blueprints": _BLUEPRINT_WRITE,
    "GET /v1/blueprints": _BLUEPRINT_READ,
    "GET /v1/blueprints/list_public": _BLUEPRINT_READ,
    "POST /v1/blueprints/preview": _BLUEPRINT_READ,
    "GET /v1/blueprints/{}": _BLUEPRINT_READ,
    "POST /v1/blueprints/{}/delete": _BLUEPRINT_WRITE,
    "GET /v1/blueprints/{}/logs": _BLUEPRINT_READ,
    "POST /v1/devboxes": _DEVBOX_WRITE,
    "GET /v1/devboxes": _DEVBOX_READ,
    "POST /v1/devboxes/create_and_await_running": _DEVBOX_WRITE,
    "GET /v1/devboxes/disk_snapshots": _SNAPSHOT_READ,
    "POST /v1/devboxes/disk_snapshots/{}": _SNAPSHOT_WRITE,
    "POST /v1/devboxes/disk_snapshots/{}/delete": _SNAPSHOT_WRITE,
    "GET /v1/devboxes/disk_snapshots/{}/status": _SNAPSHOT_READ,
    "GET /v1/devboxes/evictions/watch": _DEVBOX_READ,
    "GET /v1/devboxes/{}/executions/{}": _DEVBOX_READ,
    "POST /v1/devboxes/{}/executions/{}/kill": _DEVBOX_WRITE,
    "POST /v1/devboxes/{}/executions/{}/send_std_in": _DEVBOX_WRITE,
    "GET /v1/devboxes/{}/executions/{}/stream_stderr_updates": _DEVBOX_READ,
    "GET /v1/devboxes/{}/executions/{}/stream_stdout_updates": _DEVBOX_READ,
    "POST /v1/devboxes/{}/executions/{}/wait_for_status": _DEVBOX_READ,
    "GET /v1/devboxes/{}": _DEVBOX_READ,
    "POST /v1/devboxes/{}": _DEVBOX_WRITE,
    # These two name a secret besides.
    "POST /v1/devboxes/{}/create_gateway_token": _DEVBOX_WRITE + _ACCOUNT_READ,
    "POST /v1/devboxes/{}/create_mcp_token": _DEVBOX_WRITE + _ACCOUNT_READ,
    "POST /v1/devboxes/{}/create_pty_tunnel": _DEVBOX_WRITE,
    "POST /v1/devboxes/{}/create_ssh_key": _DEVBOX_WRITE,
    "POST /v1/devboxes/{}/download_file": _DEVBOX_READ,
    "POST /v1/devboxes/{}/enable_tunnel": _DEVBOX_WRITE,
    "POST /v1/devboxes/{}/execute": _DEVBOX_WRITE,
    "POST /v1/devboxes/{}/execute_async": _DEVBOX_WRITE,
    "POST /v1/devboxes/{}/execute_sync": _DEVBOX_WRITE,
    "POST /v1/devboxes/{}/keep_alive": _DEVBOX_WRITE,
    "GET /v1/devboxes/{}/logs": _DEVBOX_READ,
    "GET /v1/devboxes/{}/model_usage": _DEVBOX_READ,
    "POST /v1/devboxes/{}/read_file_contents": _DEVBOX_READ,
    "POST /v1/devboxes/{}/remove_tunnel": _DEVBOX_WRITE,
    "POST /v1/devboxes/{}/resume": _DEVBOX_WRITE,
    "POST /v1/devboxes/{}/shutdown": _DEVBOX_WRITE,
    # A snapshot is all that is in the devbox.
    "POST /v1/devboxes/{}/snapshot_disk": _SNAPSHOT_WRITE + _DEVBOX_READ,
    "POST /v1/devboxes/{}/snapshot_disk_async": _SNAPSHOT_WRITE + _DEVBOX_READ,
    "POST /v1/devboxes/{}/suspend": _DEVBOX_WRITE,
    "POST /v1/devboxes/{}/upload_file": _DEVBOX_WRITE,
    "GET /v1/devboxes/{}/usage": _DEVBOX_READ,
    "POST /v1/devboxes/{}/wait_for_status": _DEVBOX_READ,
    "POST /v1/devboxes/{}/write_file_contents": _DEVBOX_WRITE,
    "POST /v1/gateway-configs": _ACCOUNT_WRITE,
    "GET /v1/gateway-configs": _ACCOUNT_READ,
    "GET /v1/gateway-configs/{}": _ACCOUNT_READ,
    "POST /v1/gateway-configs/{}": _ACCOUNT_WRITE,
    "POST /v1/gateway-configs/{}/delete": _ACCOUNT_WRITE,
    "POST /v1/mcp-configs": _ACCOUNT_WRITE,
    "GET /v1/mcp-configs": _ACCOUNT_READ,
    "GET /v1/mcp-configs/{}": _ACCOUNT_READ,
    "POST /v1/mcp-configs/{}": _ACCOUNT_WRITE,
    "POST /v1/mcp-configs/{}/delete": _ACCOUNT_WRITE,
    "POST /v1/network-policies": _ACCOUNT_WRITE,
    "GET /v1/network-policies": _ACCOUNT_READ,
    "GET /v1/network-policies/{}": _ACCOUNT_READ,
    "POST /v1/network-policies/{}": _ACCOUNT_WRITE,
    "POST /v1/network-policies/{}/delete": _ACCOUNT_WRITE,
    "POST /v1/objects": _OBJECT_WRITE,
    "GET /v1/objects": _OBJECT_READ,
    "GET /v1/objects/list_public": _OBJECT_READ,
    "GET /v1/objects/{}": _OBJECT_READ,
    "POST /v1/objects/{}/complete": _OBJECT_WRITE,
    "POST /v1/objects/{}/delete": _OBJECT_WRITE,
    "GET /v1/objects/{}/download": _OBJECT_READ,
    "POST /v1/scenarios": _SCENARIO_WRITE,
    "GET /v1/scenarios": _SCENARIO_READ,
    "GET /v1/scenarios/list_public": _SCENARIO_READ,
    "GET /v1/scenarios/runs": _SCENARIO_READ,
    "GET /v1/scenarios/runs/{}": _SCENARIO_READ,
    "GET /v1/scenarios/runs/{}/model_usage": _SCENARIO_READ,
    "POST /v1/scenarios/runs/{}/cancel": _SCENARIO_WRITE,
    "POST /v1/scenarios/runs/{}/complete": _SCENARIO_WRITE,
    "POST /v1/scenarios/runs/{}/download_logs": _SCENARIO_READ,
    "POST /v1/scenarios/runs/{}/score": _SCENARIO_WRITE,
    "POST /v1/scenarios/scorers": _SCENARIO_WRITE,
    "GET /v1/scenarios/scorers": _SCENARIO_READ,
    "GET /v1/scenarios/scorers/{}": _SCENARIO_READ,
    "POST /v1/scenarios/scorers/{}": _SCENARIO_WRITE,
    "POST /v1/scenarios/start_run": _SCENARIO_WRITE + _DEVBOX_WRITE,  # a run has a devbox
    "GET /v1/scenarios/{}": _SCENARIO_READ,
    "POST /v1/scenarios/{}": _SCENARIO_WRITE,
    "POST /v1/scenarios/{}/archive": _SCENARIO_WRITE,
    "POST /v1/secrets": _ACCOUNT_WRITE,
    "GET /v1/secrets": _ACCOUNT_READ,
    "GET /v1/secrets/id/{}": _ACCOUNT_READ,
    "POST /v1/secrets/id/{}/delete": _ACCOUNT_WRITE,
    "POST /v1/secrets/id/{}/update": _ACCOUNT_WRITE,
    "GET /v1/secrets/{}": _ACCOUNT_READ,
    "POST /v1/secrets/{}": _ACCOUNT_WRITE,
    "POST /v1/secrets/{}/delete": _ACCOUNT_WRITE,
}

_PLACE = re.compile(r"\{[^}]*\}")


def entry(method: str, path: str) -> str:
    """The name of a route in the table, such as `GET /v1/devboxes/{}`. `path` is the route's own, with its places."""
    return f"{method} {_PLACE.sub('{}', path)}"


def changes(name: str) -> bool:
    """True if the operation of this entry may change anything; an operation without an entry counts as changing."""
    needs = OPERATIONS.get(name)
    return needs is None or needs == TOKEN or any(level is Level.WRITE for _, level in needs)


def concerns_account(name: str) -> bool:
    """True if the operation of this entry changes the account itself: its keys, secrets and policies."""
    return (Resource.ACCOUNT, Level.WRITE) in OPERATIONS.get(name, ())
