"""The wire's words for registered scorers."""

from typing import Annotated

from pydantic import Field, StringConstraints

from loopyard.kit.http.wire import Params, Text, View

MAX_SCRIPT_LENGTH = 4 * 1024**2

ScorerType = Annotated[Text, StringConstraints(max_length=255, pattern=r"\S")]


class ScorerParams(Params):
    """ScorerCreateParams and ScorerUpdateParams on the wire: an update replaces both."""

    bash_script: Annotated[Text, Field(min_length=1, max_length=MAX_SCRIPT_LENGTH)]
    type: ScorerType


class ScorerView(View):
    id: str
    bash_script: str
    type: str


class ScorerListView(View):
    scorers: list[ScorerView]
    has_more: bool
    total_count: int | None = None
