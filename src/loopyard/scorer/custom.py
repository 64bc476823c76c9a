import json
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from loopyard.kit.http.wire import JsonValue, Text
from loopyard.scorer.score_text import check_exit, last_score_or_number
from loopyard.scorer.scorer import Ended, PlacedFile, Scorer, ScorerJob, ScorerPaths

MAX_CONTEXT_BYTES = 120_000
"""The kernel takes 131,072 bytes for one variable."""


def _fits_a_variable(value: Any) -> Any:
    if len(_context(value).encode()) > MAX_CONTEXT_BYTES:
        raise ValueError(f"may have at most {MAX_CONTEXT_BYTES} bytes as JSON")
    return value


class CustomScorer(Scorer):
    """A scorer that was registered with the server. A run takes its script as it is when the run is started, as a
    `RegisteredScript`."""

    type: Literal["custom_scorer"]
    custom_scorer_type: Annotated[Text, Field(min_length=1, max_length=255)]
    scorer_params: Annotated[JsonValue, AfterValidator(_fits_a_variable)] | None = None

    def with_script(self, script: str) -> "RegisteredScript":
        """This scorer with the script that is registered for its type."""
        return RegisteredScript(
            type="registered_script",
            custom_scorer_type=self.custom_scorer_type,
            bash_script=script,
            context=_context(self.scorer_params),
        )

    def job(self, place: ScorerPaths) -> ScorerJob:
        raise NotImplementedError(f"{self.custom_scorer_type}: only its script can be run; {place}")

    def judge(self, ended: Ended) -> float:
        raise NotImplementedError(f"{self.custom_scorer_type}: only its script can be run; {ended}")


class RegisteredScript(Scorer):
    """The script of a registered scorer: it finds the scorer's parameters as JSON in `$RL_SCORER_CONTEXT`, and prints
    `score=` and a number from 0.0 to 1.0, or only the number; the last one counts. No type of the wire's."""

    type: Literal["registered_script"]
    custom_scorer_type: Text
    bash_script: Text
    context: Text

    def job(self, place: ScorerPaths) -> ScorerJob:
        script = f"{place.directory}/script.sh"
        return ScorerJob(
            ["/bin/bash", script], [PlacedFile(script, self.bash_script)], {"RL_SCORER_CONTEXT": self.context}
        )

    def judge(self, ended: Ended) -> float:
        check_exit(ended, "script")
        return last_score_or_number(ended.stdout)


def _context(params: Any) -> str:
    return json.dumps({} if params is None else params, ensure_ascii=False, separators=(",", ":"))
