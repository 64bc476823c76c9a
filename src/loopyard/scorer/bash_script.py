from typing import Annotated, Literal

from pydantic import Field

from loopyard.kit.http.wire import Text
from loopyard.scorer.score_text import check_exit, last_score
from loopyard.scorer.scorer import Ended, PlacedFile, Scorer, ScorerJob, ScorerPaths


class BashScriptScorer(Scorer):
    """A Bash script that prints `score=` and a number from 0.0 to 1.0; the last one counts."""

    type: Literal["bash_script_scorer"]
    bash_script: Annotated[Text, Field(min_length=1)]

    def job(self, place: ScorerPaths) -> ScorerJob:
        script = f"{place.directory}/script.sh"
        return ScorerJob(["/bin/bash", script], [PlacedFile(script, self.bash_script)])

    def judge(self, ended: Ended) -> float:
        check_exit(ended, "script")
        return last_score(ended.stdout)
