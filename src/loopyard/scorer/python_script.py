import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from loopyard.kit.http.wire import Text
from loopyard.scorer.score_text import check_exit, last_score_or_number
from loopyard.scorer.scorer import PYTHON, Ended, PlacedFile, PythonNeeds, Scorer, ScorerJob, ScorerPaths

_CONSTRAINT = re.compile(r"\s*(([<>=!~]=?=?)?\s*\d[\w.*]*\s*(,\s*|$))+")


def _is_a_constraint(text: str) -> str:
    if text.strip() and not _CONSTRAINT.fullmatch(text):
        raise ValueError("must be a version such as 3.12, or constraints such as >=3.11,<3.14")
    return text


class PythonScriptScorer(Scorer):
    """A Python script that prints a number from 0.0 to 1.0; the last one counts.

    It runs in an environment of its own, made by uv, apart from whatever Python the box has. Modules in the working
    directory are not found unless the script puts that on `sys.path`.
    """

    type: Literal["python_script_scorer"]
    python_script: Annotated[Text, Field(min_length=1)]
    python_version_constraint: Annotated[Text, Field(max_length=256), AfterValidator(_is_a_constraint)] | None = None
    requirements_contents: Text | None = None
    """The text of a requirements.txt."""

    def job(self, place: ScorerPaths) -> ScorerJob:
        script = f"{place.directory}/script.py"
        needs = PythonNeeds((self.python_version_constraint or "").strip() or None, self.requirements_contents or "")
        # -I: neither the box's variables nor anything beside the script has a say in what is imported.
        argv = [PYTHON, "-I", "-B", script]
        return ScorerJob(argv, [PlacedFile(script, self.python_script)], python=needs)

    def judge(self, ended: Ended) -> float:
        check_exit(ended, "script")
        return last_score_or_number(ended.stdout)
