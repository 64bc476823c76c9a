from pydantic import BaseModel, Field


class ScorerConfig(BaseModel):
    """How scoring functions are run."""

    python: str = Field(
        default="==3.12.10",
        description="The Python of python_script_scorer where the scenario names none, as uv takes it.",
    )
    python_mirror: str | None = Field(
        default=None, description="Where uv gets interpreters from, instead of where it usually does."
    )
    setup_seconds: float = Field(
        default=900.0, gt=0, le=86_400, description="How long making the environment of a Python script may take."
    )
