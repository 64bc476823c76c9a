"""One of each kind of resource of an account."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from loopyard.blueprint.models import Blueprint
from loopyard.devbox.execution.models import Execution
from loopyard.devbox.models import Devbox
from loopyard.gateway_config.models import GatewayConfig
from loopyard.kit.ids import new_id
from loopyard.kit.lists import names
from loopyard.mcp_config.models import McpConfig
from loopyard.network_policy.models import NetworkPolicy
from loopyard.object.models import StorageObject
from loopyard.snapshot.models import Snapshot
from tests.unit.auth.world import Operation, World

SCENARIO: dict[str, Any] = {
    "name": "one",
    "input_context": {"problem_statement": "none"},
    "scoring_contract": {
        "scoring_function_parameters": [
            {"name": "always", "weight": 1.0, "scorer": {"type": "command_scorer", "command": "true"}}
        ]
    },
}


@dataclass(frozen=True, slots=True)
class Belongings:
    """Ids by the first segments of the paths that they belong in."""

    known: Mapping[str, str]

    def of(self, operation: Operation) -> dict[str, str]:
        """The id for each place of the operation's path."""
        found: dict[str, str] = {}
        for name in [part[1:-1] for part in operation.path.split("/") if part.startswith("{")]:
            before = operation.path.partition(f"/{{{name}}}")[0]
            found[name] = self.known[before.rpartition("/")[2] if "executions" in before else before]
        return found


async def belongings(world: World, account_id: str, key: str) -> Belongings:
    """Make one of each: by the API what needs no sandbox, in the store what does."""

    async def made(path: str, body: Mapping[str, Any]) -> str:
        answer = await world.ask(key, "POST", path, json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()["id"]

    devbox = await _stored(world, account_id)
    scenario = await made("/v1/scenarios", SCENARIO)
    benchmark = await made("/v1/benchmarks", {"name": "one", "scenario_ids": [scenario]})
    job = {"type": "scenarios", "scenario_ids": [scenario], "agent_configs": [{"type": "job_agent", "name": "nop"}]}
    await made("/v1/secrets", {"name": "THEIRS", "value": "x"})
    return Belongings(
        {
            **devbox,
            "/v1/scenarios": scenario,
            "/v1/scenarios/runs": await made("/v1/scenarios/start_run", {"scenario_id": scenario}),
            "/v1/scenarios/scorers": await made("/v1/scenarios/scorers", {"bash_script": "true", "type": "theirs"}),
            "/v1/benchmarks": benchmark,
            "/v1/benchmark_runs": await made("/v1/benchmarks/start_run", {"benchmark_id": benchmark}),
            "/v1/benchmark_jobs": await made("/v1/benchmark_jobs", {"spec": job}),
            "/v1/secrets/id": await made("/v1/secrets", {"name": "OTHER", "value": "x"}),
            "/v1/secrets": "THEIRS",
            "/v1/axons": await made("/v1/axons", {"name": "theirs"}),
            "/v1/agents": await made("/v1/agents", {"name": "theirs", "version": "1"}),
            "/v1/apikeys": await made("/v1/restricted_keys", {}),
        }
    )


async def _stored(world: World, account_id: str) -> dict[str, str]:
    kinds = ("dbx", "snp", "bpt", "obj", "exe", "npo", "gwc", "mcp")
    devbox, snapshot, blueprint, kept, command, policy, gateway, hub = (new_id(kind) for kind in kinds)
    async with world.database.write() as session:
        session.add(
            Devbox(
                id=devbox,
                account_id=account_id,
                status="running",
                metadata_={},
                environment_variables={},
                launch_parameters={},
                file_mounts={},
                secrets={},
                state_transitions=[{"status": "running", "transition_time_ms": 1}],
                initiator_type="api",
                create_time_ms=1,
                active_at_ms=1,
            )
        )
        session.add(
            Execution(
                devbox_id=devbox,
                id=command,
                purpose="api",
                command="true",
                spec={},
                status="completed",
                exit_status=0,
                timed_out=False,
                lost=False,
                start_time_ms=1,
                end_time_ms=2,
            )
        )
        session.add(
            Snapshot(
                id=snapshot,
                account_id=account_id,
                source_devbox_id=devbox,
                metadata_={},
                status="complete",
                create_time_ms=1,
            )
        )
        session.add(
            Blueprint(
                id=blueprint,
                account_id=account_id,
                name="theirs",
                name_digest="x",
                status="build_complete",
                state="created",
                parameters={},
                metadata_={},
                create_time_ms=1,
                is_public=False,
            )
        )
        session.add(
            StorageObject(
                id=kept,
                account_id=account_id,
                name="theirs",
                name_folded="theirs",
                content_type="text",
                state="READ_ONLY",
                metadata_={},
                create_time_ms=1,
            )
        )
        session.add(
            GatewayConfig(
                id=gateway,
                account_id=account_id,
                name="theirs",
                name_digest=names.digest("theirs"),
                name_folded="theirs",
                endpoint="https://192.0.2.1",
                auth_mechanism={"type": "bearer"},
                custom_headers=[],
                create_time_ms=1,
            )
        )
        session.add(
            McpConfig(
                id=hub,
                account_id=account_id,
                name="theirs",
                name_digest=names.digest("theirs"),
                name_folded="theirs",
                endpoint="https://192.0.2.1",
                allowed_tools=["*"],
                auth_mechanism={"type": "bearer"},
                custom_headers=[],
                create_time_ms=1,
            )
        )
        session.add(
            NetworkPolicy(
                id=policy,
                account_id=account_id,
                name="theirs",
                name_digest="x",
                name_folded="theirs",
                allow_all=True,
                allow_agent_gateway=False,
                allow_devbox_to_devbox=False,
                allow_mcp_gateway=False,
                allow_runloop_mirrors=False,
                allowed_cidrs=[],
                allowed_hostnames=[],
                create_time_ms=1,
                update_time_ms=1,
            )
        )
    return {
        "/v1/devboxes": devbox,
        "/v1/network-policies": policy,
        "/v1/gateway-configs": gateway,
        "/v1/mcp-configs": hub,
        "executions": command,
        "/v1/devboxes/disk_snapshots": snapshot,
        "/v1/blueprints": blueprint,
        "/v1/objects": kept,
    }
