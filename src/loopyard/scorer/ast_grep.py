from typing import Annotated, Literal

from pydantic import Field

from loopyard.kit.wire import Text
from loopyard.scorer.scorer import ScorerNotOffered


class AstGrepScorer(ScorerNotOffered):
    """A pattern that is searched for in source code."""

    type: Literal["ast_grep_scorer"]
    pattern: Annotated[Text, Field(min_length=1)]
    search_directory: Annotated[Text, Field(min_length=1)]
    lang: Text | None = None
