"""Invocation of an agent in a devbox, for those who set agents to scenarios: jobs of the server, and the bench."""

from collections.abc import Mapping
from dataclasses import dataclass, field

FOLDER = "/tmp/loopyard"  # noqa: S108 - inside the box
"""Path of the problem statement in a devbox: outside of the working directory, which belongs to the task."""

STATEMENT_FILE = f"{FOLDER}/problem_statement.md"
CONTEXT_FILE = f"{FOLDER}/additional_context.json"
REFERENCE_FILE = f"{FOLDER}/reference_output"


class IncompatibleAgent(Exception):
    """The agent cannot be set to this scenario; the message says why."""


@dataclass(frozen=True, slots=True)
class AgentInvocation:
    """Turn of an agent: the files are written, then the Bash command is run in the working directory, as the devbox's
    user and with the extra variables."""

    command: str
    files: Mapping[str, str] = field(default_factory=dict[str, str])
    environment: Mapping[str, str] = field(default_factory=dict[str, str])


def with_last_newline(text: str) -> str:
    """The text with an end to its last line: git takes no patch without one."""
    return text if text.endswith("\n") else f"{text}\n"
