"""Reads the files that `loopyard bench run --json` writes."""

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from loopyard.bench.model_usage import ModelUsage
from loopyard.bench.reading import cost
from loopyard.bench.reading.attempt import Attempt, AttemptEnd, ScorerScore, Unreadable

_Score = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class _Function(BaseModel):
    name: str
    score: _Score
    state: str


class _AgentResult(BaseModel):
    output: str = ""


class _Result(BaseModel):
    model_config = ConfigDict(extra="ignore")
    scenario: str
    agent: str
    state: AttemptEnd
    score: _Score | None = None
    seconds: float | None = None
    reason: str | None = None
    run_id: str | None = None
    agent_result: _AgentResult | None = None
    functions: list[_Function] = []
    cost_usd: float | None = None
    model_usage: ModelUsage | None = None


class _Document(BaseModel):
    model_config = ConfigDict(extra="ignore")
    results: list[_Result]


def read(path: Path) -> list[Attempt]:
    """The attempts that the file tells of, in its order.

    Raises:
        Unreadable: It cannot be read, or is no file of results; the message names the file and the field.
    """
    try:
        document = _Document.model_validate_json(path.read_bytes())
    except OSError as error:
        raise Unreadable(f"{path} cannot be read: {error.strerror}") from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise Unreadable(
            f"{path} is no file of `loopyard bench run --json`: {place + ': ' if place else ''}{first['msg']}"
        ) from error
    return [_attempt(str(path), result) for result in document.results]


def _attempt(source: str, result: _Result) -> Attempt:
    spent = result.cost_usd
    if spent is None:
        output = None if result.agent_result is None else result.agent_result.output
        spent = cost.of_attempt({}, result.model_usage, output)
    return Attempt(
        source=source,
        agent=result.agent,
        scenario=result.scenario,
        ending=result.state,
        score=result.score if result.state == AttemptEnd.SCORED else None,
        seconds=result.seconds,
        cost_usd=spent,
        model_usage=result.model_usage,
        reason=result.reason,
        run_id=result.run_id,
        scorers=[ScorerScore(one.name, one.score, one.state == "error") for one in result.functions],
    )
