"""Contents of one file of the catalog: how an agent is installed, and how it is started on a problem."""

import re
import shlex
from collections.abc import Collection, Mapping
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from loopyard.agent.source import AgentSource, Version
from loopyard.kit.host.patching import APPLY_PATCH

_PLACES = re.compile(r"\{(problem|model|arguments|apply_patch)\}")
_ARGUMENT = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")

Variable = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]


class AgentDescription(BaseModel):
    """A kind of agent. Its command is run by Bash as the devbox's user, in the scenario's working directory.

    Nothing here holds a secret: the values of `needs_one_of` are given to the devbox by whoever runs the agent.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
    about: str
    input: Literal["problem_statement", "reference_output"] = "problem_statement"
    """File whose path `command` gets. With `reference_output` it is the scenario's known solution, and a scenario
    without one is not suited."""
    install: AgentSource | None = None
    """Where it comes from; None for one that needs nothing but the box's own programs."""
    version: Version | None = None
    """Which version is installed; None for the newest."""
    template: str = Field(alias="command", min_length=1)
    """Bash, with the places {problem}, {model}, {arguments}, and {apply_patch}, which defines the function
    `apply_patch FILE`. Other braces mean nothing."""
    model: str = "--model {model}"
    """Text for {model} if a model is named; else it becomes nothing."""
    default_model: str | None = None
    strip_provider: bool = False
    """True if the agent wants a model's name without the provider before the first slash."""
    arguments: Mapping[str, str] = Field(default_factory=dict[str, str])
    """Texts for arguments that are not written `--name value`: their name to Bash with the place {value}."""
    environment: Mapping[Variable, str] = Field(default_factory=dict[str, str])
    """Variables that it runs with; those that are given with the run take their place."""
    needs_one_of: tuple[Variable, ...] = ()
    """Variables of which at least one must be given, such as the key of a model's provider."""

    @model_validator(mode="after")
    def _places(self) -> "AgentDescription":
        if "{model}" in self.template and "{model}" not in self.model:
            raise ValueError("model: it needs the place {model}")
        for name, text in self.arguments.items():
            if not _ARGUMENT.fullmatch(name):
                raise ValueError(f"arguments.{name}: cannot be an argument's name")
            if "{value}" not in text:
                raise ValueError(f"arguments.{name}: it needs the place {{value}}")
        return self

    def command(self, problem_path: str, model: str | None = None, kwargs: Mapping[str, str] | None = None) -> str:
        """The Bash that sets the agent to a problem.

        Args:
            problem_path: The file in the devbox that holds what `input` says; its text ends with a newline.
            model: The model to be used, such as `anthropic/claude-sonnet-4-5`; None for the agent's own choice.
            kwargs: Further arguments, each `--name value`, or `--name` where the value is empty; underscores of a name
                become hyphens.

        Raises:
            ValueError: A name of `kwargs` cannot be an argument, or the agent takes no model or no arguments.
        """
        chosen = model or self.default_model
        if model and "{model}" not in self.template:
            raise ValueError(f"agent {self.name} takes no model")
        if kwargs and "{arguments}" not in self.template:
            raise ValueError(f"agent {self.name} takes no arguments")
        filled = {
            "problem": shlex.quote(problem_path),
            "model": "" if not chosen else self.model.replace("{model}", shlex.quote(self._named(chosen))),
            "arguments": " ".join(self._argument(name, value) for name, value in (kwargs or {}).items()),
            "apply_patch": APPLY_PATCH,
        }
        return _PLACES.sub(lambda found: filled[found[1]], self.template).strip()

    def _named(self, model: str) -> str:
        return model.partition("/")[2] or model if self.strip_provider else model

    def _argument(self, name: str, value: str) -> str:
        if not _ARGUMENT.fullmatch(name):
            raise ValueError(f"{name!r} cannot be the name of an argument")
        if name in self.arguments:
            return self.arguments[name].replace("{value}", shlex.quote(value))
        option = f"--{name.replace('_', '-')}"
        return f"{option} {shlex.quote(value)}" if value else option

    def missing(self, given: Collection[str]) -> str | None:
        """Message for an agent none of whose required variables is given; None if one is."""
        if not self.needs_one_of or any(name in given for name in self.needs_one_of):
            return None
        return f"agent {self.name} needs one of the variables {', '.join(self.needs_one_of)}"
