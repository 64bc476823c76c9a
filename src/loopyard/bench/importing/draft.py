"""A scenario that is to be written as a folder."""

import json
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from loopyard.bench.loader import SCENARIO_FILE, FolderFault

Plain = str | int | float | bool | Sequence[str] | Mapping[str, "Plain"]
"""Types of TOML that the files need."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A scenario with one scoring function, a Bash script. Tables are as in docs/scenario-folders.md, without the texts
    that are given apart."""

    name: str
    problem_statement: str
    scorer_name: str
    scorer_script: str
    scorer_timeout_sec: int
    reference_type: str = "script"
    reference: str | None = None
    dockerfile: str | None = None
    build_context: Path | None = None
    environment: Mapping[str, Plain] = field(default_factory=dict[str, Plain])
    metadata: Mapping[str, str] = field(default_factory=dict[str, str])
    required_environment_variables: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Drafts:
    """Scenarios of the tasks that can be imported, and every fault of the others."""

    sound: Sequence[Draft]
    faults: Sequence[str] = ()


def write(drafts: Sequence[Draft], folder: Path) -> list[Path]:
    """Write a scenario folder for each draft into the folder, which is made if it is missing. Returns them.

    Raises:
        FolderFault: There is such a folder already; nothing is written then.
    """
    places = [folder / slug(draft.name) for draft in drafts]
    there = [place for place in places if place.exists()]
    if there:
        raise FolderFault([f"{place} exists already; remove it, or name another folder" for place in there])
    twice = sorted({str(place) for place in places if places.count(place) > 1})
    if twice:
        raise FolderFault([f"two tasks would both be written to {place}; import them apart" for place in twice])
    for draft, place in zip(drafts, places, strict=True):
        _write_one(draft, place)
    return places


def _write_one(draft: Draft, place: Path) -> None:
    place.mkdir(parents=True)
    _put(place / "problem.md", draft.problem_statement)
    _put(place / "score.sh", draft.scorer_script)
    environment = dict(draft.environment)
    if draft.dockerfile is not None:
        _put(place / "Dockerfile", draft.dockerfile)
        environment["dockerfile_file"] = "Dockerfile"
    if draft.build_context is not None:
        shutil.copytree(draft.build_context, place / "context", symlinks=True)
        environment["build_context"] = "context"
    table: dict[str, Plain] = {
        "name": draft.name,
        "problem_statement_file": "problem.md",
        "scorer_timeout_sec": draft.scorer_timeout_sec,
    }
    if draft.required_environment_variables:
        table["required_environment_variables"] = list(draft.required_environment_variables)
    lines = _lines(table)
    lines += ["", "[metadata]", *_lines(draft.metadata)] if draft.metadata else []
    launch = environment.pop("launch_parameters", {})
    lines += ["", "[environment]", *_lines(environment)]
    if isinstance(launch, Mapping) and launch:
        lines += ["", "[environment.launch_parameters]", *_lines(launch)]
    lines += ["", "[[scoring_functions]]", *_lines({"name": draft.scorer_name, "weight": 1.0})]
    lines += ["", "[scoring_functions.scorer]", *_lines({"type": "bash_script_scorer", "bash_script_file": "score.sh"})]
    if draft.reference is not None:
        name = "solution.patch" if draft.reference_type == "patch" else "solution.sh"
        _put(place / name, draft.reference)
        lines += ["", "[reference_output]", *_lines({"type": draft.reference_type, "contents_file": name})]
    _put(place / SCENARIO_FILE, "\n".join(lines) + "\n")


def _put(path: Path, text: str) -> None:
    """Write a text as it is, whatever ends its lines."""
    path.write_bytes(text.encode())


def slug(name: str) -> str:
    """The name as a folder's: letters, digits, dots, underscores and dashes only."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip(".-") or "task"


def _lines(table: Mapping[str, Plain]) -> list[str]:
    return [f"{_text(key) if not _bare(key) else key} = {_value(value)}" for key, value in table.items()]


def _bare(key: str) -> bool:
    return bool(key) and all(char.isascii() and (char.isalnum() or char in "_-") for char in key)


def _value(value: Plain) -> str:
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, Mapping):
        return "{ " + ", ".join(_lines(value)) + " }"
    return "[" + ", ".join(_text(item) for item in value) + "]"


def _text(text: str) -> str:
    """A basic string of TOML: JSON's escapes are TOML's, but for DEL, which JSON leaves as it is."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
