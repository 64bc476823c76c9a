import json
import posixpath
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from loopyard.kit.http.wire import Params, Text
from loopyard.scorer.scorer import Ended, PlacedFile, Scorer, ScorerJob, ScorerPaths
from loopyard.test_results.command import reports
from loopyard.test_results.files import ARCHIVE, archive
from loopyard.test_results.inside.environment import keeping_reporter

_RUN = """archive=$1 plan=$2 command=$3
for name in python3 python; do
    if "$name" -I -c 'import sys; sys.exit(sys.version_info < (3, 6))' 2>/dev/null; then
        exec "$name" -I "$archive" "$plan"
    fi
done
exec /bin/bash "$command"
"""
"""Runs the command under the judge of its tests; as it is in a box without Python, where it cannot run any of
Python's."""


def _names_a_file(path: str) -> str:
    if posixpath.basename(path) in ("", ".", ".."):
        raise ValueError("must name a file")
    return path


class TestFile(Params):
    """A file of a test. `file_path` is relative to the working directory."""

    file_path: Annotated[Text, Field(min_length=1, max_length=4096), AfterValidator(_names_a_file)]
    file_contents: Text = ""


class TestBasedScorer(Scorer):
    """Test files, written only when scoring begins, and a command that runs them: 1.0 for status 0, else 0.0.

    Where the command runs pytest or unittest, status 0 counts only if they report that tests ran to their end, that one
    of the test files passed, and that none failed.
    """

    type: Literal["test_based_scorer"]
    test_command: Annotated[Text, Field(min_length=1)]
    test_files: list[TestFile] = Field(default_factory=list[TestFile])

    def job(self, place: ScorerPaths) -> ScorerJob:
        command, plan, programs = (f"{place.directory}/{name}" for name in ("command.sh", "plan.json", ARCHIVE))
        paths = [posixpath.join(place.working_directory, file.file_path) for file in self.test_files]
        told = {
            "judge": "status",
            "directory": place.working_directory,
            "command": command,
            "sources": [path for path in paths if path.endswith(".py")],
            "reported": reports(self.test_command, {file.file_path: file.file_contents for file in self.test_files}),
        }
        files = [
            PlacedFile(command, f"{keeping_reporter(self.test_command, programs)}\n"),
            PlacedFile(plan, json.dumps(told)),
            PlacedFile(programs, archive()),
            *(
                PlacedFile(path, file.file_contents, protected=False)
                for path, file in zip(paths, self.test_files, strict=True)
            ),
        ]
        return ScorerJob(["/bin/bash", "-c", _RUN, "bash", programs, plan, command], files)

    def judge(self, ended: Ended) -> float:
        return 1.0 if ended.exit_status == 0 else 0.0
