from typing import Annotated, Literal

from pydantic import Field

from loopyard.kit.http.wire import Text
from loopyard.scorer.scorer import Ended, PlacedFile, Scorer, ScorerJob, ScorerPaths


class CommandScorer(Scorer):
    """A Bash command: 1.0 if it exits with status 0, else 0.0."""

    type: Literal["command_scorer"]
    command: Annotated[Text, Field(min_length=1)]

    def job(self, place: ScorerPaths) -> ScorerJob:
        return command_job(place, self.command)

    def judge(self, ended: Ended) -> float:
        return 1.0 if ended.exit_status == 0 else 0.0


def command_job(place: ScorerPaths, command: str) -> ScorerJob:
    """Run a command as Bash does. It goes by a file, since the kernel takes no argument over 128 KiB."""
    script = f"{place.directory}/command.sh"
    return ScorerJob(["/bin/bash", script], [PlacedFile(script, f"{command}\n")])
