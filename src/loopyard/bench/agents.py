"""The agents a bench can run: each says, as data, what is to happen in the box of a scenario."""

from dataclasses import dataclass
from importlib.resources import files
from typing import Protocol

from loopyard.agent.invocation import FOLDER, STATEMENT_FILE, AgentInvocation, IncompatibleAgent, with_last_newline
from loopyard.bench.definition import ScenarioDefinition
from loopyard.kit.host.patching import APPLY_PATCH

LONGEST_VARIABLE = 120_000
"""Bytes of a problem statement that fit into `$PROBLEM_STATEMENT`. The kernel takes 131,072 for one variable or
argument, and commands put the statement into arguments with words of their own around it."""


class Agent(Protocol):
    """Agent that tries to solve scenarios."""

    @property
    def name(self) -> str:
        """Name in the results."""
        ...

    @property
    def expected_score(self) -> float | None:
        """Score on every sound scenario; None if the bench is to find it out."""
        ...

    def turn(self, scenario: ScenarioDefinition) -> AgentInvocation | None:
        """Turn of the agent at a scenario; None for an agent that does nothing.

        Raises:
            IncompatibleAgent: It cannot run this scenario.
        """
        ...


@dataclass(frozen=True, slots=True)
class Oracle:
    """Applies the reference output, and so scores 1.0."""

    name: str = "oracle"
    expected_score: float | None = 1.0

    def turn(self, scenario: ScenarioDefinition) -> AgentInvocation:
        reference = scenario.reference_output
        if reference is None:
            raise IncompatibleAgent(
                f"scenario {scenario.name!r} has no [reference_output], which the agent oracle applies"
            )
        if reference.type == "patch":
            patch = f"{FOLDER}/reference.patch"
            return AgentInvocation(
                f"{APPLY_PATCH}\napply_patch {patch}", {patch: with_last_newline(reference.contents)}
            )
        return AgentInvocation(reference.contents)


@dataclass(frozen=True, slots=True)
class Nop:
    """Does nothing, and so scores 0.0."""

    name: str = "nop"
    expected_score: float | None = 0.0

    def turn(self, scenario: ScenarioDefinition) -> None:  # noqa: ARG002
        return None


@dataclass(frozen=True, slots=True)
class CommandAgent:
    """Runs a command of the user's own with the problem statement in `$PROBLEM_STATEMENT`, and in the file named by
    `$PROBLEM_STATEMENT_FILE`. For a statement over `LONGEST_VARIABLE` bytes the variable says to read the file."""

    name: str
    command: str
    expected_score: float | None = None

    def turn(self, scenario: ScenarioDefinition) -> AgentInvocation:
        statement = scenario.problem_statement
        if len(statement.encode()) > LONGEST_VARIABLE:
            statement = f"The problem statement is long. Read all of it in the file {STATEMENT_FILE}."
        environment = {"PROBLEM_STATEMENT": statement, "PROBLEM_STATEMENT_FILE": STATEMENT_FILE}
        return AgentInvocation(self.command, {STATEMENT_FILE: scenario.problem_statement}, environment)


@dataclass(frozen=True, slots=True)
class Cheat:
    """Tries every trick of `cheat.sh`, none of which a scorer may fall for, and so scores 0.0."""

    name: str = "cheat"
    expected_score: float | None = 0.0

    def turn(self, scenario: ScenarioDefinition) -> AgentInvocation:  # noqa: ARG002
        return AgentInvocation(files("loopyard.bench").joinpath("cheat.sh").read_text(encoding="utf-8"))


BUILT_IN: dict[str, Agent] = {agent.name: agent for agent in (Oracle(), Nop(), Cheat())}


def command_agents(commands: list[str]) -> list[Agent]:
    """Agents for users' commands: `command`, or `command-1`, `command-2` and so on where there are several."""
    if len(commands) == 1:
        return [CommandAgent("command", commands[0])]
    return [CommandAgent(f"command-{number}", command) for number, command in enumerate(commands, 1)]
