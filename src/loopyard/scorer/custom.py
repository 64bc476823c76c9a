from typing import Annotated, Literal

from pydantic import Field

from loopyard.kit.wire import JsonValue, Text
from loopyard.scorer.scorer import ScorerNotOffered


class CustomScorer(ScorerNotOffered):
    """A scorer that was registered with the server, and parameters for it."""

    type: Literal["custom_scorer"]
    custom_scorer_type: Annotated[Text, Field(min_length=1)]
    scorer_params: JsonValue | None = None
