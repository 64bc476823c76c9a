"""What the author of a scenario is told to see to."""

import pytest

from loopyard.bench.definition import ScenarioDefinition
from loopyard.bench.validation.notes import notes


def told(command: str, *files: str) -> str:
    scorer = {
        "type": "test_based_scorer",
        "test_command": command,
        "test_files": [{"file_path": path, "file_contents": "pass\n"} for path in ("test_a.py", *files)],
    }
    function = {"name": "t", "weight": 1.0, "scorer": scorer}
    scenario = {"name": "s", "problem_statement": "p", "scoring_functions": [function]}
    return " ".join(notes(ScenarioDefinition.model_validate(scenario)))


@pytest.mark.parametrize(
    ("command", "files", "word"),
    [
        ("python3 -m unittest test_a", [], ""),
        ("pytest test_a.py", [], "no conftest.py and no pytest.ini"),
        ("pytest test_a.py", ["conftest.py"], "bring no pytest.ini,"),
        ("pytest test_a.py", ["./conftest.py", "pytest.ini"], ""),
        ("make test", [], "it runs make,"),
        ("cd x && npm test", [], "it runs npm,"),
        ("bash ./run-tests", [], "it runs ./run-tests,"),
        ("bash ./run-tests", ["run-tests"], ""),
        ("python3 -I test_a.py", [], ""),
    ],
)
def test_what_is_left_to_the_agent_is_named(command: str, files: list[str], word: str) -> None:
    if word:
        assert word in told(command, *files)
    else:
        assert told(command, *files) == ""
