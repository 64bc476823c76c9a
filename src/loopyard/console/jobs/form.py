"""The form that starts a job: its fields, and the request that they make."""

import json
import pprint
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import ValidationError

from loopyard.benchmark_job.spec import MAX_AGENTS, BenchmarkJobCreateParams
from loopyard.kit.errors import BadRequest
from loopyard.kit.http.error_handlers import explain

_LINES = ("secrets", "gateways", "variables", "arguments")
_AGENT_FIELDS = ("name", "agent_id", "model", "timeout", *_LINES)
_JOB_FIELDS = (
    *("source", "benchmark_id", "scenario_ids", "job_name", "n_concurrent_trials", "n_attempts"),
    *("timeout_multiplier", "max_cost_usd", "max_tokens"),
)
_MOST_TEXT = 1_000_000


@dataclass(slots=True)
class JobForm:
    """The fields as they were filled in."""

    fields: dict[str, str] = field(default_factory=dict[str, str])
    agents: list[dict[str, str]] = field(default_factory=list[dict[str, str]])

    @classmethod
    def empty(cls, benchmark_id: str | None, scenario_ids: str | None) -> "JobForm":
        """A form for a benchmark or for scenarios, with one agent."""
        fields = dict.fromkeys(_JOB_FIELDS, "")
        fields["source"] = "scenarios" if scenario_ids else "benchmark"
        fields["benchmark_id"] = benchmark_id or ""
        fields["scenario_ids"] = scenario_ids or ""
        fields["n_concurrent_trials"] = "4"
        return cls(fields, [dict.fromkeys(_AGENT_FIELDS, "")])

    @classmethod
    def read(cls, given: Mapping[str, Any]) -> "JobForm":
        """The form that was sent.

        Raises:
            BadRequest: Its number of agents cannot be.
        """
        count = str(given.get("agents") or "1")
        if not count.isascii() or not count.isdigit() or not 1 <= int(count[:6]) <= MAX_AGENTS:
            raise BadRequest(f"agents: a job has 1 to {MAX_AGENTS} agents.", field="agents")
        return cls(
            {name: _text(given, name) for name in _JOB_FIELDS},
            [{name: _text(given, f"agent.{at}.{name}") for name in _AGENT_FIELDS} for at in range(int(count))],
        )

    def add_agent(self) -> None:
        """A further agent, like the last one but for its model."""
        if len(self.agents) < MAX_AGENTS:
            self.agents.append({**self.agents[-1], "model": ""})

    def drop_agent(self) -> None:
        if len(self.agents) > 1:
            self.agents.pop()

    def request(self) -> dict[str, Any]:
        """Request to the API, in the wire's words.

        Raises:
            BadRequest: A field cannot be read; the error names it.
        """
        fields = self.fields
        spec: dict[str, Any]
        if fields["source"] == "scenarios":
            spec = {"type": "scenarios", "scenario_ids": fields["scenario_ids"].replace(",", " ").split()}
        else:
            spec = {"type": "benchmark", "benchmark_id": fields["benchmark_id"].strip()}
            if not spec["benchmark_id"]:
                raise BadRequest("Choose a benchmark, or name scenarios.", field="benchmark_id")
        spec["agent_configs"] = [_agent(at, agent) for at, agent in enumerate(self.agents)]
        orchestrator = _given(
            n_concurrent_trials=_number(fields, "n_concurrent_trials", int),
            n_attempts=_number(fields, "n_attempts", int),
            timeout_multiplier=_number(fields, "timeout_multiplier", float),
            max_cost_usd=_number(fields, "max_cost_usd", float),
            max_tokens=_number(fields, "max_tokens", int),
        )
        if orchestrator:
            spec["orchestrator_config"] = orchestrator
        return _given(name=fields["job_name"].strip() or None, spec=spec)

    def params(self) -> BenchmarkJobCreateParams:
        """The request, checked.

        Raises:
            BadRequest: A field cannot be what it is.
        """
        try:
            return BenchmarkJobCreateParams.model_validate(self.request())
        except ValidationError as error:
            raise explain(error.errors()) from error


@dataclass(frozen=True, slots=True)
class Equal:
    """The same job by other means."""

    python: str
    shell: str


def equal_of(request: dict[str, Any]) -> Equal:
    """The Python and the shell commands that ask for the same."""
    told = "".join(f"    {name}={_python(value, name)},\n" for name, value in request.items())
    python = (
        "from runloop_api_client import Runloop\n\n"
        "client = Runloop()  # at RUNLOOP_BASE_URL, with RUNLOOP_API_KEY\n"
        f"job = client.benchmark_jobs.create(\n{told})\n"
        "print(job.id)\n"
    )
    body = shlex.quote(json.dumps(request, ensure_ascii=False))
    shell = (
        'curl -sS "$RUNLOOP_BASE_URL/v1/benchmark_jobs" \\\n'
        '  -H "Authorization: Bearer $RUNLOOP_API_KEY" -H "Content-Type: application/json" \\\n'
        f"  --data-raw {body}\n"
        "loopyard bench report bmj_…   # the id that it answers\n"
    )
    return Equal(python, shell)


def _python(value: Any, name: str) -> str:
    lines = pprint.pformat(value, width=100, sort_dicts=False).splitlines()
    return ("\n" + " " * (5 + len(name))).join(lines)


def _text(given: Mapping[str, Any], name: str) -> str:
    value = given.get(name)
    return value[:_MOST_TEXT].replace("\r\n", "\n") if isinstance(value, str) else ""


def _agent(at: int, agent: dict[str, str]) -> dict[str, Any]:
    name = f"agent.{at}"
    if not agent["name"].strip():
        raise BadRequest(f"Agent {at + 1}: choose which agent it is.", field=f"{name}.name")
    gateways = {
        variable: _gateway(f"{name}.gateways", value)
        for variable, value in _pairs(f"{name}.gateways", agent["gateways"]).items()
    }
    environment = _given(
        environment_variables=_pairs(f"{name}.variables", agent["variables"]) or None,
        secrets=_pairs(f"{name}.secrets", agent["secrets"]) or None,
        gateways=gateways or None,
    )
    return _given(
        type="job_agent",
        name=agent["name"].strip(),
        agent_id=agent["agent_id"].strip() or None,
        model_name=agent["model"].strip() or None,
        timeout_seconds=_number(agent, "timeout", float, f"{name}.timeout"),
        kwargs=_pairs(f"{name}.arguments", agent["arguments"]) or None,
        agent_environment=environment or None,
    )


def _gateway(field_name: str, value: str) -> dict[str, str]:
    gateway, _, secret = value.partition(":")
    if not gateway.strip() or not secret.strip():
        message = f"{field_name}: give each line as VARIABLE=gateway:secret, such as ANTHROPIC=anthropic:my-key."
        raise BadRequest(message, field=field_name)
    return {"gateway": gateway.strip(), "secret": secret.strip()}


def _pairs(field_name: str, text: str) -> dict[str, str]:
    """Lines of NAME=value."""
    pairs: dict[str, str] = {}
    for line in text.split("\n"):
        if not line.strip():
            continue
        name, mark, value = line.partition("=")
        if not mark or not name.strip():
            raise BadRequest(f"{field_name}: give each line as NAME=value; {line[:80]!r} is not.", field=field_name)
        pairs[name.strip()] = value.strip()
    return pairs


def _number(
    fields: Mapping[str, str], name: str, kind: type[int] | type[float], field_name: str | None = None
) -> int | float | None:
    text = fields[name].strip()
    if not text:
        return None
    try:
        return kind(text[:40])
    except ValueError:
        words: Literal["whole number", "number"] = "whole number" if kind is int else "number"
        where = field_name or name
        raise BadRequest(f"{where}: give a {words}, or nothing.", field=where) from None


def _given(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}
