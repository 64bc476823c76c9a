"""Whatever a caller sends that the OpenAPI document admits, or that it does not, gets an answer that the document
describes: no 500, no status or body that is not in it, and the one shape for every error."""

import uuid
from typing import Any, cast

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis.strategies import DataObject
from schemathesis import GenerationMode, checks

from tests.integration.api.answers import assert_error_shape
from tests.integration.api.resources import DOCUMENT, KEPT, OPERATIONS, Operation, Resources, make_scenario
from tests.serving import ServerProcess

SCHEMA = cast("Any", schemathesis.openapi.from_dict(DOCUMENT))
"""Without a type: the library's own are not complete."""

CHECKS: list[Any] = [
    cast("Any", checks).not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
]

MAKES_BOXES = {"devboxes.create", "devboxes.create_and_await_running", "scenarios.start_run"}
"""These are asked less often: each success is a sandbox."""

ENDS = {
    "devboxes.shutdown",
    "devboxes.suspend",
    "devboxes.resume",
    "scenarios.runs.complete",
    "scenarios.runs.cancel",
    "scenarios.runs.score",
    "benchmark_runs.complete",
    "benchmark_runs.cancel",
}
"""These get things that have ended already, so that the others find theirs alive."""

NEEDS_LIFE = {"executions.send_std_in"}
"""What only a command that runs can take; here all have ended, so that their streams do, too."""

ENDLESS = {"/v1/devboxes/evictions/watch", "/v1/axons/{id}/subscribe/sse"}
"""Streams that end only with their client."""

LONGEST_WAIT_SECONDS = 0.05

bounded = settings(
    phases=[Phase.generate],  # a failure is told as it came: to make it smaller would take minutes
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.function_scoped_fixture],
)


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
@pytest.mark.parametrize("operation", [each for each in OPERATIONS if each.path not in ENDLESS], ids=str)
def test_every_answer_is_one_that_the_document_describes(
    operation: Operation, mode: GenerationMode, server: ServerProcess, known: Resources
) -> None:
    name = operation.description["operationId"]
    session = requests.Session()
    session.headers["Authorization"] = f"Bearer {server.api_key}"

    seen: set[int] = set()

    @settings(bounded, max_examples=6 if name in MAKES_BOXES else 15)
    @given(st.data())
    def conforms(data: DataObject) -> None:
        case: Any = data.draw(SCHEMA[operation.path][operation.method].as_strategy(mode))
        _aim(case, operation, known, data)
        answer = case.call(base_url=server.base_url, session=session)
        # Of a stream the document describes what an event's data holds, not the event.
        stream = answer.headers["content-type"][0].startswith("text/event-stream")
        case.validate_response(answer, checks=CHECKS[:-1] if stream else CHECKS)
        seen.add(answer.status_code)
        if answer.status_code >= 400:
            assert_error_shape(answer.headers["content-type"][0], answer.json())
        elif name in MAKES_BOXES:
            made = answer.json()
            session.post(f"{server.base_url}/v1/devboxes/{made.get('devbox_id', made['id'])}/shutdown", timeout=60)

    # Each engine gets requests of its own, and the other's as well where none of its own succeeded.
    own, other = (0, 1) if server.database_url is None else (1, 0)
    seed(own)(conforms)()
    if mode is GenerationMode.POSITIVE and name not in ENDS | NEEDS_LIFE and not name.endswith("delete"):
        if 200 not in seen:
            seed(other)(conforms)()
        assert 200 in seen, f"no request succeeded, so that nothing was learned of its answers: {seen}"


def _aim(case: Any, operation: Operation, known: Resources, data: DataObject) -> None:
    """Turn most requests at what is there, and shorten waits."""
    name = operation.description["operationId"]
    ends = name in ENDS or name.endswith("delete")
    for place in operation.places:
        ids = known.of(operation.path, place)
        if ids and data.draw(st.integers(0, 4)) > 0:
            case.path_parameters[place] = ids[-1] if ends else data.draw(st.sampled_from(ids))
    body: object = case.body
    if not isinstance(body, dict):
        return
    fields = cast("dict[str, Any]", body)
    if operation.path.endswith("/wait_for_status") and not isinstance(fields.get("timeout_seconds"), (str, list, dict)):
        fields["timeout_seconds"] = LONGEST_WAIT_SECONDS
    if isinstance(fields.get("command"), str) and "command_id" in fields:
        fields["optimistic_timeout"] = LONGEST_WAIT_SECONDS
    if data.draw(st.booleans()):
        _mend(fields, operation, known)


def _mend(fields: dict[str, Any], operation: Operation, known: Resources) -> None:
    """What no schema can say: files that are there, scenarios that are there, weights whose sum is 1."""
    if operation.path.endswith(("/read_file_contents", "/download_file")):
        for name in fields.keys() & {"file_path", "path"}:
            fields[name] = "/etc/hostname"
    if operation.path == "/v1/secrets":
        fields["name"] = f"MADE_{uuid.uuid4().hex}"
    for statement in [fields, *cast("list[Any]", fields.get("statements") or [])]:
        if isinstance(statement, dict) and "sql" in statement:
            cast("dict[str, Any]", statement).update(sql="SELECT 1", params=[])
    if operation.path in ("/v1/gateway-configs", "/v1/mcp-configs"):
        public: Any = {"endpoint": "https://example.com", "auth_mechanism": {"type": "bearer"}, "custom_headers": []}
        fields.update(public, name=f"m{uuid.uuid4().hex}")
        if "allowed_tools" in fields:
            fields["allowed_tools"] = ["*"]
    for name, place in (("gateway", "/v1/gateway-configs"), ("mcp_config", "/v1/mcp-configs")):
        if isinstance(fields.get(name), str):
            fields.update({name: known.known[place][0], "secret": known.known["/v1/secrets"][0]})
    if isinstance(fields.get("scenario_id"), str):
        fields["scenario_id"] = known.known["/v1/scenarios"][0]
    if isinstance(fields.get("benchmark_id"), str):
        fields["benchmark_id"] = known.known["/v1/benchmarks"][0]
    for name in fields.keys() & {"scenario_ids", "scenarios_to_add"}:
        fields[name] = known.known["/v1/scenarios"]
    spec = fields.get("spec")
    if operation.path == "/v1/benchmark_jobs" and isinstance(spec, dict):
        nop: Any = {"type": "job_agent", "name": "nop"}
        scenarios = {"type": "scenarios", "scenario_ids": known.known[KEPT], "agent_configs": [nop]}
        fields["spec"] = {**cast("dict[str, Any]", spec), **scenarios}
    contract = fields.get("scoring_contract")
    if isinstance(contract, dict):
        command: Any = {"type": "command_scorer", "command": "true"}
        functions = [{"name": f"f{index}", "weight": 0.25, "scorer": command} for index in range(4)]
        contract["scoring_function_parameters"] = functions


def test_a_run_goes_through_all_its_states_as_the_document_describes(server: ServerProcess) -> None:
    """The operations that end something, on something alive."""
    with server.client() as client:
        scenario = make_scenario(client)
        session = requests.Session()
        session.headers["Authorization"] = f"Bearer {server.api_key}"

        def ask(path: str, method: str = "post", body: Any = None, **places: str) -> Any:
            case: Any = SCHEMA[path][method].Case(
                path_parameters=places, body=body or {}, media_type="application/json"
            )
            answer = case.call(base_url=server.base_url, session=session)
            case.validate_response(answer, checks=CHECKS)
            assert answer.status_code == 200, answer.text
            return answer.json() if "json" in answer.headers["content-type"][0] else answer.content

        for ends in ("complete", "cancel"):
            run = ask("/v1/scenarios/start_run", body={"scenario_id": scenario})
            client.devboxes.await_running(run["devbox_id"])
            ask("/v1/scenarios/runs/{id}/score", id=run["id"])
            while ask("/v1/scenarios/runs/{id}", "get", id=run["id"])["state"] != "scored":
                pass
            ask(f"/v1/scenarios/runs/{{id}}/{ends}", id=run["id"])
            assert ask("/v1/scenarios/runs/{id}/download_logs", id=run["id"]).startswith(b"PK")
        devbox = ask("/v1/devboxes", body={"name": "ended"})
        client.devboxes.await_running(devbox["id"])
        assert ask("/v1/devboxes/{id}/shutdown", id=devbox["id"])["status"] == "shutdown"
