"""The specification is tables of promises, and every test that it names exists."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs/specification.md").read_text()
ROWS = [
    tuple(cell.strip() for cell in line.strip("|").split(" | "))
    for line in PAGE.splitlines()
    if line.startswith("| ") and not line.startswith("| promise |")
]

MOST_WITHOUT_A_TEST = 24
"""Promises whose test is not named yet. None may be added."""


def test_every_row_has_a_promise_a_number_and_a_test() -> None:
    assert len(ROWS) > 150
    assert [row for row in ROWS if len(row) != 3 or not row[0] or not row[2]] == []


def test_every_section_is_one_table() -> None:
    for section in PAGE.split("\n## ")[1:]:
        title, *lines = section.strip().splitlines()
        assert lines[1:3] == ["| promise | number | test |", "|---|---|---|"], title
        assert all(line.startswith("| ") for line in lines[3:]), title


def test_every_named_test_exists_and_tests() -> None:
    faults: list[str] = []
    for promise, _, named in ROWS:
        for name in re.findall(r"`([^`]+)`", named):
            path = ROOT / "tests" / name
            if name == "crun-ready":
                continue
            files = [path] if path.is_file() else [*path.rglob("test_*.py")]
            if not any("def test_" in file.read_text() for file in files if file.exists()):
                faults.append(f"{name}: {promise[:60]}")
    assert not faults


def test_promises_without_a_test_do_not_grow() -> None:
    without = [promise for promise, _, named in ROWS if named == "—"]
    assert len(without) <= MOST_WITHOUT_A_TEST, without
