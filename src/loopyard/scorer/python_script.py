from typing import Annotated, Literal

from pydantic import Field

from loopyard.kit.wire import Text
from loopyard.scorer.scorer import ScorerNotOffered


class PythonScriptScorer(ScorerNotOffered):
    """A Python script that prints a number from 0.0 to 1.0."""

    type: Literal["python_script_scorer"]
    python_script: Annotated[Text, Field(min_length=1)]
    python_version_constraint: Text | None = None
    requirements_contents: Text | None = None
