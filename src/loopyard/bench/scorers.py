"""The scorers that a scenario file may name, as pydantic models told apart by `type`."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from loopyard.bench.parts import FilledText, Part, ScriptText, Text

Filled = Annotated[str, Field(min_length=1)]


class BashScriptScorer(Part):
    """A bash script that prints `score=` and a number from 0.0 to 1.0."""

    text_keys: ClassVar[tuple[str, ...]] = ("bash_script",)
    type: Literal["bash_script_scorer"]
    bash_script: ScriptText


class CommandScorer(Part):
    """A command that gives 1.0 when it ends with status 0, else 0.0."""

    text_keys: ClassVar[tuple[str, ...]] = ("command",)
    type: Literal["command_scorer"]
    command: ScriptText


class TestFile(Part):
    """A file that is written to the box before the test command runs."""

    __test__: ClassVar[bool] = False
    text_keys: ClassVar[tuple[str, ...]] = ("file_contents",)
    file_path: Filled
    """Where it goes, relative to the working directory."""
    file_contents: Text


class TestBasedScorer(Part):
    """Test files and the command that runs them; status 0 gives 1.0, any other 0.0."""

    __test__: ClassVar[bool] = False
    type: Literal["test_based_scorer"]
    test_command: Filled
    test_files: Annotated[list[TestFile], Field(min_length=1)]


class PythonScriptScorer(Part):
    """A Python script that prints a number from 0.0 to 1.0."""

    text_keys: ClassVar[tuple[str, ...]] = ("python_script", "requirements_contents")
    type: Literal["python_script_scorer"]
    python_script: FilledText
    python_version_constraint: str | None = None
    requirements_contents: Text | None = None


class AstGrepScorer(Part):
    """A pattern that is searched for in the source."""

    type: Literal["ast_grep_scorer"]
    pattern: Filled
    search_directory: Filled
    lang: str | None = None


class CustomScorer(Part):
    """A scorer that was registered with the server."""

    type: Literal["custom_scorer"]
    custom_scorer_type: Filled
    scorer_params: Any = None


Scorer = Annotated[
    BashScriptScorer | CommandScorer | TestBasedScorer | PythonScriptScorer | AstGrepScorer | CustomScorer,
    Field(discriminator="type"),
]


SCORER_TYPES = frozenset(
    {
        "bash_script_scorer",
        "command_scorer",
        "test_based_scorer",
        "python_script_scorer",
        "ast_grep_scorer",
        "custom_scorer",
    }
)


class ScoringFunction(Part):
    """Scorer, its name in the results, and its weight in the score."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+$")]
    weight: Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)]
    scorer: Scorer
