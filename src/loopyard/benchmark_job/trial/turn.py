"""Command of an agent in the devbox of a trial."""

import json

from loopyard.agent.catalog.description import AgentDescription
from loopyard.agent.invocation import (
    CONTEXT_FILE,
    REFERENCE_FILE,
    STATEMENT_FILE,
    AgentInvocation,
    IncompatibleAgent,
    with_last_newline,
)
from loopyard.benchmark_job.spec import AgentConfig
from loopyard.scenario.models import Scenario


def turn(description: AgentDescription, config: AgentConfig, scenario: Scenario) -> AgentInvocation:
    """Turn of an agent at a scenario.

    Raises:
        IncompatibleAgent: The scenario has not what the agent needs.
    """
    if description.input == "reference_output":
        if not scenario.reference_output:
            raise IncompatibleAgent(f"Agent {config.name} applies the reference output, and the scenario has none.")
        path, files = REFERENCE_FILE, {REFERENCE_FILE: with_last_newline(scenario.reference_output)}
    else:
        path, files = STATEMENT_FILE, {STATEMENT_FILE: with_last_newline(scenario.input_context["problem_statement"])}
        context = scenario.input_context.get("additional_context")
        if context is not None:
            files[CONTEXT_FILE] = with_last_newline(json.dumps(context, ensure_ascii=False, indent=2))
    try:
        return AgentInvocation(description.command(path, config.model_name, config.kwargs), files)
    except ValueError as error:  # the catalog has changed since the job was made
        raise IncompatibleAgent(f"Agent {config.name} cannot be run this way: {error}.") from error
