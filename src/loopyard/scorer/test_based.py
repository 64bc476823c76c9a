import posixpath
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from loopyard.kit.wire import Params, Text
from loopyard.scorer.command import command_job
from loopyard.scorer.scorer import Ended, Job, Place, PlacedFile, Scorer


def _names_a_file(path: str) -> str:
    if posixpath.basename(path) in ("", ".", ".."):
        raise ValueError("must name a file")
    return path


class TestFile(Params):
    """A file of a test. `file_path` is relative to the working directory."""

    file_path: Annotated[Text, Field(min_length=1, max_length=4096), AfterValidator(_names_a_file)]
    file_contents: Text = ""


class TestBasedScorer(Scorer):
    """Test files, written only when scoring begins, and a command that runs them: 1.0 for status 0, else 0.0."""

    type: Literal["test_based_scorer"]
    test_command: Annotated[Text, Field(min_length=1)]
    test_files: list[TestFile] = Field(default_factory=list[TestFile])

    def job(self, place: Place) -> Job:
        command = command_job(place, self.test_command)
        files = [
            PlacedFile(posixpath.join(place.working_directory, file.file_path), file.file_contents, protected=False)
            for file in self.test_files
        ]
        return Job(command.argv, [*command.files, *files])

    def judge(self, ended: Ended) -> float:
        return 1.0 if ended.exit_status == 0 else 0.0
