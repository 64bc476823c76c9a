"""Contents wanted on a layer, and the key that identifies them."""

import hashlib
import json
import re
from dataclasses import dataclass, field

from loopyard.agent.source import AgentSource
from loopyard.runtime.protocol import User

_RECIPE = 1
"""Counts up when agents are installed in another way, so that layers of the old way are not taken any more."""

_FIXED_PIP = re.compile(r"[0-9][0-9A-Za-z.+!_-]*")
_FIXED_NPM = re.compile(r"\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?")
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class AgentBase:
    """Base that agents are installed on: an image (None for the base image) or a snapshot, for a user of an account."""

    account_id: str
    image: str | None
    image_version: str
    snapshot: str | None
    user: User

    @property
    def key(self) -> str:
        what = f"snapshot {self.snapshot}" if self.snapshot is not None else f"image {self.image_version}"
        return digest([_RECIPE, self.account_id, what, self.user.name, self.user.uid])


@dataclass(frozen=True, slots=True)
class WantedAgent:
    """An agent to be installed. `path` is where it is put; None for the usual place of a package. `content_type` is
    that of the object it comes from."""

    agent_id: str
    name: str
    version: str | None
    source: AgentSource
    path: str | None = None
    content_type: str | None = None
    token: str | None = field(default=None, repr=False, compare=False)

    @property
    def title(self) -> str:
        return f"{self.name} {self.version}" if self.version else self.name

    @property
    def ref(self) -> str | None:
        """Git reference that is checked out."""
        return (self.source.git.ref if self.source.git is not None else None) or self.version

    @property
    def fixed(self) -> bool:
        """True if every installation gives the same content."""
        match self.source.type:
            case "pip":
                return _FIXED_PIP.fullmatch(self.version or "") is not None
            case "npm":
                return _FIXED_NPM.fullmatch(self.version or "") is not None
            case "git":
                return _COMMIT.fullmatch(self.ref or "") is not None
            case "object":
                return True

    def key_on(self, below: str) -> str:
        """The key of a layer with this agent on what `below` stands for. Where the version is not fixed, another agent
        of the same source is installed anew: whoever wants the newest makes an agent."""
        source = self.source.model_dump(mode="json", exclude_none=True)
        return digest([below, source, self.version, self.path, None if self.fixed else self.agent_id])


def digest(parts: list[object]) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
