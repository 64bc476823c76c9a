"""Where an agent comes from, as the wire has it."""

import re
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from loopyard.kit.http.wire import Params, Text

SourceType = Literal["npm", "pip", "object", "git"]

_NO_ADDRESS = "must be an http:// or https:// URL"
VERSION_PATTERN = r"^[A-Za-z0-9<>=!~^*][A-Za-z0-9.+*<>=!~^, _/-]*$"


def _web_address(text: str) -> str:
    try:
        address = urlsplit(text)
        _ = address.port
    except ValueError:
        raise ValueError(_NO_ADDRESS) from None
    if not address.hostname or address.scheme not in ("http", "https") or not re.fullmatch(r"[!-~]+", text):
        raise ValueError(_NO_ADDRESS)
    if address.username is not None or address.password is not None:
        raise ValueError("must not hold a user or a password: it is shown to whoever sees the agent")
    return text


WebAddress = Annotated[Text, StringConstraints(max_length=2048), AfterValidator(_web_address)]
SetupCommands = Annotated[list[Annotated[Text, Field(max_length=120_000)]], Field(max_length=100)]
Version = Annotated[Text, StringConstraints(min_length=1, max_length=255, pattern=VERSION_PATTERN)]
GitRef = Annotated[Text, StringConstraints(pattern=r"^[^-\s~^:?*\[\\][^\s~^:?*\[\\]*$", max_length=255)]


class GitSource(Params):
    """A repository, cloned into the mount's `agent_path`. `agent_setup` is run in it."""

    repository: WebAddress
    ref: GitRef | None = None
    agent_setup: SetupCommands | None = None


class NpmSource(Params):
    """A package of an npm registry. `agent_setup` is run in the user's home."""

    package_name: Annotated[
        Text, StringConstraints(pattern=r"^(@[a-z0-9~][a-z0-9._~-]*/)?[A-Za-z0-9~][A-Za-z0-9._~-]*$", max_length=214)
    ]
    registry_url: WebAddress | None = None
    agent_setup: SetupCommands | None = None


class PipSource(Params):
    """A package of a Python package index, with extras in brackets. `agent_setup` is run in the user's home."""

    package_name: Annotated[
        Text,
        StringConstraints(
            pattern=r"^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?(\[[A-Za-z0-9._, -]+\])?$", max_length=255
        ),
    ]
    registry_url: WebAddress | None = None
    agent_setup: SetupCommands | None = None


class ObjectSource(Params):
    """An object: an archive to be unpacked into the mount's `agent_path`, where `agent_setup` is run, or a file to be
    written there."""

    object_id: Annotated[Text, StringConstraints(min_length=1, max_length=1024)]
    agent_setup: SetupCommands | None = None


class AgentSource(Params):
    """The wire's AgentSource: `type` says which of the others is set."""

    type: SourceType
    git: GitSource | None = None
    npm: NpmSource | None = None
    object: ObjectSource | None = None
    pip: PipSource | None = None

    @model_validator(mode="after")
    def _one(self) -> "AgentSource":
        given = [name for name in ("git", "npm", "object", "pip") if getattr(self, name) is not None]
        if given != [self.type]:
            also = [name for name in given if name != self.type]
            told = f"leave out {also[0]}" if also else f"give {self.type}"
            raise ValueError(f"type is {self.type}: {told}")
        return self

    @property
    def setup(self) -> list[str]:
        """The commands to run once it is installed."""
        one = self.git or self.npm or self.object or self.pip
        return (one.agent_setup if one is not None else None) or []

    @property
    def needs_path(self) -> bool:
        """True if a mount of it must name its path."""
        return self.type in ("git", "object")
