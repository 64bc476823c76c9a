"""Reads files with one SWE-bench row a line. All faults are told at once, each with its file, line and field."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from loopyard.bench.importing.place import told
from loopyard.bench.importing.swebench.patch import read as read_patch
from loopyard.bench.loader import FolderFault
from loopyard.bench.texts import NotText, read_exact, without_mark

_PYTEST = re.compile(r"^[^\s:][^\n:]*\.py(::[^\n]+)?$")
_UNITTEST = re.compile(r"^(\w+) \(([\w.]+)\)$")
_DOCSTRING = re.compile(r"^(?=.*[^\W\d_])[^\n]*[^\w\n][^\n]*$")
_PERCENT = re.compile(r"^\[ *\d+%\]$")
_SHOWN = 80


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
    """Row of SWE-bench: mend `repo` at `base_commit` so that the tests of FAIL_TO_PASS pass, and those of PASS_TO_PASS
    still do."""

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
        """True if tests are named as pytest does (`tests/test_a.py::test_b`); else as unittest does (`test_b (a.C)`, or
        a docstring's first line)."""
        return any(_PYTEST.match(test) for test in self.FAIL_TO_PASS)


@dataclass(frozen=True, slots=True)
class Rows:
    """A file's sound rows, and every fault of the others."""

    sound: list[Row]
    faults: list[str]


def read(path: Path, *, any_names: bool = False) -> Rows:
    """All rows of a file.

    Args:
        path: The file.
        any_names: Whether tests may be named in any way, since a runner of another kind tells their results.

    Raises:
        FolderFault: The file cannot be read, or has no rows.
    """
    try:
        text = without_mark(read_exact(path))
    except OSError as error:
        raise FolderFault([told(path, 1, "", f"cannot be read: {error.strerror}")]) from error
    except NotText as error:
        raise FolderFault([told(path, error.line, "", "is not UTF-8 text")]) from error
    sound: list[Row] = []
    faults: list[str] = []
    names: dict[str, int] = {}
    # Only this ends a line: JSON may have other characters within texts that Unicode takes for line ends.
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            row = Row.model_validate_json(line)
        except ValidationError as error:
            faults += [_fault(path, number, detail) for detail in error.errors(include_url=False)]
            continue
        own = _without_data(row) if any_names else [*_foreign(row), *_without_data(row)]
        if row.name in names:
            own.append(("instance_id", f"{row.name} is also in line {names[row.name]}"))
        names.setdefault(row.name, number)
        faults += [told(path, number, field, text) for field, text in own]
        if not own:
            sound.append(row)
    if not sound and not faults:
        raise FolderFault([told(path, 1, "", "has no rows")])
    return Rows(sound, faults)


def labels(tests: list[str]) -> list[str]:
    """unittest's `test_b (a.C)` as the label `a.C.test_b`, which its runners take."""
    found = [_UNITTEST.match(test) for test in tests]
    return [
        match[2] if match[2].endswith(f".{match[1]}") else f"{match[2]}.{match[1]}"
        for match in found
        if match is not None
    ]


def modules(tests: list[str]) -> list[str]:
    """The modules that unittest's names may stand for: all beginnings of their dotted names."""
    found = [match[2].split(".") for test in tests if (match := _UNITTEST.match(test)) is not None]
    return list(dict.fromkeys(".".join(parts[:count]) for parts in found for count in range(1, len(parts))))


def _foreign(row: Row) -> list[tuple[str, str]]:
    """The tests that are named in another way than the first one, or in none that is known."""
    return [
        (
            field,
            f"{test[:_SHOWN]!r} is named neither as pytest does (path.py::test) nor as unittest does"
            " (test (module.Class), or a docstring)",
        )
        for field, tests in (("FAIL_TO_PASS", row.FAIL_TO_PASS), ("PASS_TO_PASS", row.PASS_TO_PASS))
        for test in tests
        if not _known(test, with_pytest=row.with_pytest)
    ][:3]


def _known(test: str, *, with_pytest: bool) -> bool:
    if with_pytest:
        return bool(_PYTEST.match(test))
    return bool(_UNITTEST.match(test) or (_DOCSTRING.match(test) and not _PERCENT.match(test)))


def _without_data(row: Row) -> list[tuple[str, str]]:
    """The binary files that the row's patches change without saying how."""
    return [
        (field, f"changes {path}, a binary file, without its data; make the patch with `git diff --binary`")
        for field, patch in (("patch", row.patch), ("test_patch", row.test_patch))
        for path in read_patch(patch).without_data
    ]


def _fault(path: Path, line: int, detail: Any) -> str:
    if detail["type"] == "json_invalid":
        return told(path, line, "", f"not valid JSON: {detail['ctx']['error']}")
    text = "is required; add it" if detail["type"] == "missing" else str(detail["msg"])
    return told(path, line, ".".join(map(str, detail["loc"])), text)
