"""SWE-bench rows as scenario folders, and every fault of a row."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from loopyard.bench.importing.swebench.convert import Options, drafts
from loopyard.bench.importing.swebench.script import patched_files
from loopyard.bench.loader import FolderFault
from loopyard.cli import app
from tests.integration.bench.importing.repository import row, write_rows

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def test_images_are_those_of_the_call_then_of_the_row_then_of_swebench(tmp_path: Path) -> None:
    own = row(COMMIT, instance_id="b__c-2", docker_image="registry/own:3")
    rows = write_rows(tmp_path / "rows.jsonl", row(COMMIT), own)

    def images(image: str | None) -> list[str]:
        return [(made.dockerfile or "").splitlines()[0] for made in drafts(rows, Options(image=image))]

    assert images(None) == ["FROM swebench/sweb.eval.x86_64.example_1776_stats-1:latest", "FROM registry/own:3"]
    assert images("my/{instance}:{version}") == ["FROM my/example__stats-1:1.0", "FROM my/b__c-2:1.0"]


def test_a_repository_is_cloned_where_the_image_does_not_have_it(tmp_path: Path) -> None:
    rows = write_rows(tmp_path / "rows.jsonl", row(COMMIT))
    [made] = drafts(rows, Options(image="debian", clone="https://code.example/{repo}.git"))
    assert made.dockerfile is not None
    steps = [
        json.loads(line.removeprefix("RUN "))[2] for line in made.dockerfile.splitlines() if line.startswith("RUN")
    ]
    assert steps[0] == "git clone --quiet https://code.example/example/stats.git /testbed"
    assert f"git checkout --quiet --detach {COMMIT}" in steps[1]
    assert made.metadata["base_commit"] == COMMIT


def test_a_row_without_a_patch_has_no_reference(tmp_path: Path) -> None:
    [made] = drafts(write_rows(tmp_path / "rows.jsonl", row(COMMIT, patch="")), Options())
    assert made.reference is None


def test_every_fault_of_every_row_is_told_with_file_line_and_field(tmp_path: Path) -> None:
    missing = row(COMMIT, FAIL_TO_PASS="[]", repo="stats", base_commit="main")
    del missing["test_patch"]
    foreign = row(COMMIT, instance_id="x", PASS_TO_PASS=["test_whole"])
    path = write_rows(
        tmp_path / "rows.jsonl", row(COMMIT), missing, row(COMMIT), foreign, row(COMMIT, FAIL_TO_PASS="x")
    )
    path.write_text(path.read_text() + "\n{not json}\n")
    with pytest.raises(FolderFault) as caught:
        drafts(path, Options())
    told = [line.removeprefix(f"{path}:") for line in caught.value.faults]
    assert {line.split(": ", 2)[0] + ": " + line.split(": ", 2)[1] for line in told[:-1]} == {
        "2: repo", "2: base_commit", "2: test_patch", "2: FAIL_TO_PASS", "3: instance_id", "4: PASS_TO_PASS",
        "5: FAIL_TO_PASS",
    }  # fmt: skip
    assert told[-1].startswith("7: not valid JSON")


@pytest.mark.parametrize("content", [b"", b"\xff\xfe"])
def test_a_file_without_rows_is_told(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(content)
    with pytest.raises(FolderFault, match=r"rows\.jsonl:1: (has no rows|is not UTF-8 text)"):
        drafts(path, Options())


def test_files_of_a_patch_are_found_with_and_without_gits_lines() -> None:
    plain = "--- a/x y.py\t2024\n+++ b/x y.py\n@@ -1 +1 @@\n-a\n+b\n--- /dev/null\n+++ b/new.py\n@@ -0,0 +1 @@\n+c\n"
    assert patched_files(plain) == ["x y.py", "new.py"]
    assert patched_files("diff --git a/old.py b/new.py\nrename from old.py\nrename to new.py\n") == ["old.py", "new.py"]


def test_one_kind_of_tasks_must_be_named() -> None:
    assert CliRunner().invoke(app, ["scenario", "import"]).exit_code == 2
