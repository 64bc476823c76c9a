"""Command of an agent in the devbox of a trial."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from loopyard.agent.catalog.description import AgentDescription
from loopyard.benchmark_job.spec import AgentConfig
from loopyard.scenario.models import Scenario

FOLDER = "/tmp/loopyard"  # noqa: S108 - inside the box
"""Where an agent finds what it is to do: outside of the working directory, which belongs to the task."""

STATEMENT_FILE = f"{FOLDER}/problem_statement.md"
CONTEXT_FILE = f"{FOLDER}/additional_context.json"
REFERENCE_FILE = f"{FOLDER}/reference_output"


class IncompatibleAgent(Exception):
    """The agent cannot be set to this scenario; the message says why."""


@dataclass(frozen=True, slots=True)
class AgentInvocation:
    """The files are written, then the Bash command is run in the working directory, as the devbox's user."""

    command: str
    files: Mapping[str, str]


def turn(description: AgentDescription, config: AgentConfig, scenario: Scenario) -> AgentInvocation:
    """Turn of an agent at a scenario.

    Raises:
        IncompatibleAgent: The scenario has not what the agent needs.
    """
    if description.input == "reference_output":
        if not scenario.reference_output:
            raise IncompatibleAgent(f"Agent {config.name} applies the reference output, and the scenario has none.")
        path, files = REFERENCE_FILE, {REFERENCE_FILE: _closed(scenario.reference_output)}
    else:
        path, files = STATEMENT_FILE, {STATEMENT_FILE: _closed(scenario.input_context["problem_statement"])}
        context = scenario.input_context.get("additional_context")
        if context is not None:
            files[CONTEXT_FILE] = _closed(json.dumps(context, ensure_ascii=False, indent=2))
    try:
        return AgentInvocation(description.command(path, config.model_name, config.kwargs), files)
    except ValueError as error:  # the catalog has changed since the job was made
        raise IncompatibleAgent(f"Agent {config.name} cannot be run this way: {error}.") from error


def _closed(text: str) -> str:
    """The text with an end to its last line: git takes no patch without one."""
    return text if text.endswith("\n") else f"{text}\n"
