"""Figures in README.md are medians of committed benchmark records, rounded to three digits."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]
README = (ROOT / "README.md").read_text()
SUBJECTS = ("loopyard", "podman", "docker")
RECORDS = dict(zip("AB", re.findall(r"\((benchmarks/results/.*?\.json)\)", README), strict=True))
ROWS = re.findall(r"^\| (.+?) \| (\S+) \| (\S+) \| (\S+) \| (\S+) \| ([AB]) `(\S+)` \|$", README, re.MULTILINE)


def record(letter: str) -> dict[str, Any]:
    return json.loads((ROOT / RECORDS[letter]).read_text())


def test_the_table_is_found() -> None:
    assert len(ROWS) == 11


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[-1])
def test_a_figure_is_a_median_of_its_record(row: tuple[str, ...]) -> None:
    _, unit, *figures, letter, name = row
    (measure,) = [one for one in record(letter)["measures"] if one["name"] == name]
    assert unit.removeprefix("1") == measure["unit"]
    for subject, figure in zip(SUBJECTS, figures, strict=True):
        series = [one for one in measure["series"] if one["subject"] == subject]
        first = next((one for one in series if one["by"] == "HTTP"), series[0])
        assert first["failed"] == 0
        assert float(figure) == float(f"{first['summary']['median']:.3g}")


@pytest.mark.parametrize("letter", "AB")
def test_a_record_is_of_a_commit_and_of_the_machine_that_is_named(letter: str) -> None:
    data = record(letter)
    assert not data["uncommitted_changes"]
    assert not data["quick"]
    assert (data["host"]["cores"], data["host"]["memory_gib"]) == (2, 23.5)
    assert data["peers"] == {"podman": "4.3.1", "docker": "20.10.24+dfsg1"}
