"""The wire's words for agents."""

import re
from typing import Annotated

from pydantic import StringConstraints, TypeAdapter, ValidationError, model_validator

from loopyard.agent.source import VERSION_PATTERN, AgentSource, GitRef
from loopyard.kit.wire import Params, Text, View

Name = Annotated[Text, StringConstraints(min_length=1, max_length=1024)]

_GIT_REF = TypeAdapter(GitRef)


class AgentCreateParams(Params):
    name: Name
    source: AgentSource | None = None
    version: Annotated[Text, StringConstraints(min_length=1, max_length=255)] | None = None

    @model_validator(mode="after")
    def _version_fits(self) -> "AgentCreateParams":
        kind = self.source.type if self.source is not None else None
        if self.version is None or kind in (None, "object"):
            return self
        if kind == "git":
            try:
                _GIT_REF.validate_python(self.version)
            except ValidationError:
                raise ValueError("version must be a branch or a tag") from None
        elif not re.fullmatch(VERSION_PATTERN, self.version):
            raise ValueError(f"version must be one of a {kind} package, such as 2.0.65")
        return self


class AgentView(View):
    id: str
    create_time_ms: int
    is_public: bool
    name: str
    source: AgentSource | None = None
    version: str | None = None


class AgentListView(View):
    agents: list[AgentView]
    has_more: bool
    total_count: int | None = None


class AgentDevboxCountsView(View):
    """`counts` has each name of the caller's agents, and of others that devboxes of the caller have; a devbox with two
    agents counts for both. `total_count` is the sum."""

    counts: dict[str, int]
    total_count: int
