"""Reads files with one SWE-bench row a line. All faults are told at once, each with its file, line and field."""

import json
import re
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from loopyard.bench.importing.place import told
from loopyard.bench.loader import FolderFault

_PYTEST = re.compile(r"^[^\s:][^\n:]*\.py(::[^\n]+)?$")
_UNITTEST = re.compile(r"^(\w+) \(([\w.]+)\)$")


def _listed(value: Any) -> Any:
    """Lists of tests are lists, or JSON text of one, as in the published data."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        raise ValueError("is neither a list nor the JSON text of one") from None


Tests = Annotated[list[Annotated[str, Field(min_length=1)]], BeforeValidator(_listed)]
Filled = Annotated[str, Field(min_length=1)]


class Row(BaseModel):
    """One task: mend `repo` at `base_commit` so that the tests of FAIL_TO_PASS pass, and those of PASS_TO_PASS still
    do."""

    model_config = ConfigDict(extra="ignore")

    repo: Annotated[str, Field(pattern=r"^[\w.-]+/[\w.-]+$")]
    base_commit: Annotated[str, Field(pattern=r"^[0-9a-f]{7,64}$")]
    problem_statement: Filled
    test_patch: Filled
    FAIL_TO_PASS: Annotated[Tests, Field(min_length=1)]
    PASS_TO_PASS: Tests = []
    patch: str = ""
    instance_id: Annotated[str, Field(pattern=r"^[\w.-]+$")] = ""
    version: str | float | None = None
    image_name: str | None = None
    docker_image: str | None = None

    @property
    def name(self) -> str:
        return self.instance_id or f"{self.repo.replace('/', '__')}-{self.base_commit[:12]}"

    @property
    def image(self) -> str | None:
        """The image that the row itself names, as SWE-Gym and SWE-rebench do."""
        return self.docker_image or self.image_name

    @property
    def with_pytest(self) -> bool:
        """Whether tests are named as pytest does (`tests/test_a.py::test_b`); else as unittest does (`test_b
        (a.C)`)."""
        return bool(_PYTEST.match(self.FAIL_TO_PASS[0]))


def read(path: Path) -> list[Row]:
    """All rows.

    Raises:
        FolderFault: The file cannot be read, or rows are no such tasks.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise FolderFault([told(path, 1, "", f"cannot be read: {error.strerror}")]) from error
    except UnicodeDecodeError as error:
        raise FolderFault([told(path, 1, "", "is not UTF-8 text")]) from error
    rows: list[Row] = []
    faults: list[str] = []
    names: dict[str, int] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = Row.model_validate_json(line)
        except ValidationError as error:
            faults += [_fault(path, number, detail) for detail in error.errors(include_url=False)]
            continue
        if row.name in names:
            faults.append(told(path, number, "instance_id", f"{row.name} is also in line {names[row.name]}"))
        names[row.name] = number
        faults += [told(path, number, field, text) for field, text in _foreign(row)]
        rows.append(row)
    if not rows and not faults:
        faults = [told(path, 1, "", "has no rows")]
    if faults:
        raise FolderFault(faults)
    return rows


def labels(tests: list[str]) -> list[str]:
    """unittest's `test_b (a.C)` as the label `a.C.test_b`, which its runners take."""
    found = [_UNITTEST.match(test) for test in tests]
    return [
        match[2] if match[2].endswith(f".{match[1]}") else f"{match[2]}.{match[1]}"
        for match in found
        if match is not None
    ]


def _foreign(row: Row) -> list[tuple[str, str]]:
    """The tests that are named in another way than the first one, or in none that is known."""
    form = _PYTEST if row.with_pytest else _UNITTEST
    return [
        (field, f"{test!r} is named neither as pytest does (path.py::test) nor as unittest does (test (module.Class))")
        for field, tests in (("FAIL_TO_PASS", row.FAIL_TO_PASS), ("PASS_TO_PASS", row.PASS_TO_PASS))
        for test in tests
        if not form.match(test)
    ][:3]


def _fault(path: Path, line: int, detail: Any) -> str:
    if detail["type"] == "json_invalid":
        return told(path, line, "", f"not valid JSON: {detail['ctx']['error']}")
    text = "is required; add it" if detail["type"] == "missing" else str(detail["msg"])
    return told(path, line, ".".join(map(str, detail["loc"])), text)
