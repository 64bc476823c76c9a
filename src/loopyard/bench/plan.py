"""Plan of a bench: every agent on every scenario, checked before anything starts."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from loopyard.agent.invocation import AgentInvocation, IncompatibleAgent
from loopyard.bench.agents import Agent
from loopyard.bench.definition import ScenarioDefinition
from loopyard.bench.loader import FolderFault, Suite


@dataclass(frozen=True, slots=True)
class PlannedTrial:
    """Attempt of one agent at one scenario."""

    scenario: ScenarioDefinition
    agent: Agent
    turn: AgentInvocation | None
    environment: Mapping[str, str]
    """The values of the scenario's required variables."""


def plan(suite: Suite, agents: Sequence[Agent], environment: Mapping[str, str] = os.environ) -> list[PlannedTrial]:
    """All trials, the scenarios in their order and each with every agent.

    Args:
        suite: The scenarios.
        agents: Who tries them.
        environment: Where the values of the scenarios' required variables come from.

    Raises:
        FolderFault: A trial cannot be made; all faults are told.
    """
    faults: list[str] = []
    trials: list[PlannedTrial] = []
    for scenario in suite.scenarios:
        missing = [name for name in scenario.required_environment_variables if name not in environment]
        faults += [
            f"scenario {scenario.name!r} needs the variable {name}; set it in the environment" for name in missing
        ]
        given = {name: environment[name] for name in scenario.required_environment_variables if name in environment}
        for agent in agents:
            try:
                trials.append(PlannedTrial(scenario, agent, agent.turn(scenario), given))
            except IncompatibleAgent as error:
                faults.append(str(error))
    if faults:
        raise FolderFault(faults)
    return trials
