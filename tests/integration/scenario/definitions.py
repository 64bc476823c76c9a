"""Scenarios for tests, as the official client takes them."""

from typing import Any

from runloop_api_client.types import ScoringFunctionParam
from runloop_api_client.types.scoring_function_param import ScorerTestBasedScoringFunction


def bash(name: str, script: str, weight: float = 1.0) -> ScoringFunctionParam:
    return {"name": name, "weight": weight, "scorer": {"type": "bash_script_scorer", "bash_script": script}}


def command(name: str, line: str, weight: float = 1.0) -> ScoringFunctionParam:
    return {"name": name, "weight": weight, "scorer": {"type": "command_scorer", "command": line}}


def checked(name: str, line: str, files: dict[str, str], weight: float = 1.0) -> ScoringFunctionParam:
    scorer: ScorerTestBasedScoringFunction = {
        "type": "test_based_scorer",
        "test_command": line,
        "test_files": [{"file_path": path, "file_contents": contents} for path, contents in files.items()],
    }
    return {"name": name, "weight": weight, "scorer": scorer}


def scenario(*functions: ScoringFunctionParam, **fields: Any) -> dict[str, Any]:
    """The arguments of `client.scenarios.create`."""
    return {
        "name": "a scenario",
        "input_context": {"problem_statement": "Make it right."},
        "scoring_contract": {"scoring_function_parameters": list(functions) or [bash("always", "echo score=1.0")]},
        **fields,
    }
