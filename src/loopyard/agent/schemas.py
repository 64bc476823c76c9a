"""The wire's words for agents."""

import re
from typing import Annotated

from pydantic import StringConstraints, TypeAdapter, ValidationError, ValidationInfo, field_validator

from loopyard.agent.source import VERSION_PATTERN, AgentSource, GitRef
from loopyard.kit.http.wire import Params, Text, View

Name = Annotated[Text, StringConstraints(min_length=1, max_length=1024)]

_GIT_REF = TypeAdapter(GitRef)


class AgentCreateParams(Params):
    name: Name
    source: AgentSource | None = None
    version: Annotated[Text, StringConstraints(min_length=1, max_length=255)] | None = None

    @field_validator("version")
    @classmethod
    def _fits(cls, version: str | None, found: ValidationInfo) -> str | None:
        source: AgentSource | None = found.data.get("source")
        if version is None or source is None or source.type == "object":
            return version
        if source.type == "git":
            try:
                _GIT_REF.validate_python(version)
            except ValidationError:
                raise ValueError("must be a branch or a tag") from None
        elif not re.fullmatch(VERSION_PATTERN, version):
            raise ValueError(f"must be a version of a {source.type} package, such as 2.0.65")
        return version


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
