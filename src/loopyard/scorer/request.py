"""Parameters and outcome of a scoring, which its three steps pass on."""

from collections.abc import Sequence
from dataclasses import dataclass

from loopyard.runtime.grading import RestoreReport
from loopyard.runtime.protocol import User
from loopyard.scorer.contract import RunFunction, ScoringContractResult
from loopyard.scorer.scorer import ScorerJob, ScorerPaths

SCORING_FOLDER = "/var/lib/loopyard-scoring"
"""Where in the box the scorers' own files go. Each scoring has a folder there whose name is not known before."""


class ScoringInterrupted(Exception):
    """The infrastructure failed under the scoring, so that it says nothing about what was to be scored."""


@dataclass(frozen=True, slots=True)
class FunctionJob:
    """A scoring function, its place in the contract, and what is to be done in the box for it."""

    index: int
    function: RunFunction
    job: ScorerJob


@dataclass(frozen=True, slots=True)
class ScoringRequest:
    """Parameters of a scoring. `key` names its folder in the box; `working_directory` None is the home.

    `restored` tells that the system is put back as it was before the agent's turn. `spare` are the commands that go on;
    `image` tells what the box is made from, and by which account. `timeout_seconds` is for all functions together.
    """

    devbox_id: str
    user: User
    working_directory: str | None
    timeout_seconds: int
    key: str
    functions: Sequence[RunFunction]
    restored: bool = True
    spare: Sequence[str] = ()
    image: str = ""

    def paths(self, index: int) -> ScorerPaths:
        """Working directory and folder of files of the function at `index`."""
        return ScorerPaths(f"{SCORING_FOLDER}/{self.key}/{index}", self.working_directory or self.user.home)

    def jobs(self) -> list[FunctionJob]:
        """The job of each function, in the order of the contract."""
        return [
            FunctionJob(index, function, function.scorer.job(self.paths(index)))
            for index, function in enumerate(self.functions)
        ]


@dataclass(frozen=True, slots=True)
class ScoringOutcome:
    """Outcome of a scoring. `out_of_time` tells that its time was over before it was; `restore_report` what of the
    system the scorers did not find as the agent left it."""

    result: ScoringContractResult
    out_of_time: bool
    restore_report: RestoreReport | None = None


def command_id(index: int) -> str:
    """The execution of a scoring function in its devbox. Callers cannot choose ids with a dot."""
    return f"score.{index}"


def setup_id(index: int) -> str:
    """The execution that makes what a scoring function needs."""
    return f"score.{index}.setup"
