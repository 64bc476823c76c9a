"""Notes for the author of a scenario on ways to its score without the work. None of them is a fault;
docs/trusted-scores.md says more."""

import posixpath
import re
from collections.abc import Mapping

from loopyard.bench.definition import ScenarioDefinition
from loopyard.bench.scorers import TestBasedScorer
from loopyard.test_results.command import reports, runs_pytest

_INDIRECT = re.compile(
    r"(?:^|[\s;&|(])(?:(make|tox|nox|just|npm|npx|yarn|pnpm|cargo|go|mvn|gradle|rake|bundle|ctest|jest|vitest|mocha)\b"
    r"|(?:bash |sh )?(\./[\w./-]+))",
    re.MULTILINE,
)
_STEERING = ("conftest.py", "pytest.ini")


def notes(scenario: ScenarioDefinition) -> list[str]:
    """A sentence for each thing that is left to the agent by the scenario's test_based_scorers."""
    found: list[str] = []
    for function in scenario.scoring_functions:
        if isinstance(function.scorer, TestBasedScorer):
            found += [f"the scorer {function.name}: {text}" for text in _of(function.scorer)]
    return found


def _of(scorer: TestBasedScorer) -> list[str]:
    files = {posixpath.normpath(file.file_path): file.file_contents for file in scorer.test_files}
    if not reports(scorer.test_command, files):
        return _of_status(scorer.test_command, files)
    if not runs_pytest(scorer.test_command):
        return []
    missing = [name for name in _STEERING if name not in {posixpath.basename(path) for path in files}]
    if not missing:
        return []
    return [
        f"its test files bring no {' and no '.join(missing)}, so those that the agent leaves take part in the tests;"
        " bring them, if need be empty"
    ]


def _of_status(command: str, files: Mapping[str, str]) -> list[str]:
    by = next((found for found in _INDIRECT.finditer(command) if not _brought(found[2], files)), None)
    if by is None:
        return []
    return [
        f"it runs {by[1] or by[2]}, whose settings and scripts the agent may have changed, and only the exit status is"
        " its word; bring what it reads as test files, or name pytest or unittest in the command, which report results"
    ]


def _brought(script: str | None, files: Mapping[str, str]) -> bool:
    return script is not None and posixpath.normpath(script) in files
