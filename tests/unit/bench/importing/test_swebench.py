"""SWE-bench rows as scenario folders, and every fault of a row."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from loopyard.bench.importing.draft import write
from loopyard.bench.importing.swebench.convert import Options, drafts
from loopyard.bench.loader import FolderFault, load
from loopyard.cli import app
from tests.integration.bench.importing.repository import row, write_rows

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def test_images_are_those_of_the_call_then_of_the_row_then_of_swebench(tmp_path: Path) -> None:
    own = row(COMMIT, instance_id="b__c-2", docker_image="registry/own:3")
    rows = write_rows(tmp_path / "rows.jsonl", row(COMMIT), own)

    def images(image: str | None) -> list[str]:
        return [(made.dockerfile or "").splitlines()[0] for made in drafts(rows, Options(image=image)).sound]

    assert images(None) == ["FROM swebench/sweb.eval.x86_64.example_1776_stats-1:latest", "FROM registry/own:3"]
    assert images("my/{instance}:{version}") == ["FROM my/example__stats-1:1.0", "FROM my/b__c-2:1.0"]


def test_a_repository_is_cloned_where_the_image_does_not_have_it(tmp_path: Path) -> None:
    rows = write_rows(tmp_path / "rows.jsonl", row(COMMIT))
    [made] = drafts(rows, Options(image="debian", clone="https://code.example/{repo}.git")).sound
    assert made.dockerfile is not None
    steps = [
        json.loads(line.removeprefix("RUN "))[2] for line in made.dockerfile.splitlines() if line.startswith("RUN")
    ]
    assert steps[0] == "git clone --quiet https://code.example/example/stats.git /testbed"
    assert f"git checkout --quiet --detach {COMMIT}" in steps[1]
    assert made.metadata["base_commit"] == COMMIT


def test_a_row_without_a_patch_has_no_reference(tmp_path: Path) -> None:
    [made] = drafts(write_rows(tmp_path / "rows.jsonl", row(COMMIT, patch="")), Options()).sound
    assert made.reference is None


def test_every_fault_of_every_row_is_told_with_file_line_and_field(tmp_path: Path) -> None:
    missing = row(COMMIT, FAIL_TO_PASS="[]", repo="stats", base_commit="main")
    del missing["test_patch"]
    foreign = row(COMMIT, instance_id="x", PASS_TO_PASS=["test_whole"])
    path = write_rows(
        tmp_path / "rows.jsonl", row(COMMIT), missing, row(COMMIT), foreign, row(COMMIT, FAIL_TO_PASS="x")
    )
    path.write_text(path.read_text() + "\n{not json}\n")
    found = drafts(path, Options())
    assert [made.name for made in found.sound] == ["example__stats-1"]
    told = [line.removeprefix(f"{path}:") for line in found.faults]
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


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["no mark", "byte order mark"])
@pytest.mark.parametrize("end", [b"\n", b"\r\n", b""], ids=["LF", "CRLF", "none"])
def test_texts_are_kept_to_the_byte(tmp_path: Path, mark: bytes, end: bytes) -> None:
    said = "a\u2028b\u2029c\x85d\x0be\x0c\x1cf\r\ng\ufeff"
    patch = "--- a/m.py\n+++ b/m.py\n@@ -1,2 +1,2 @@\n a\r\n-b\r\n+c\u2028\r\n"
    path = tmp_path / "rows.jsonl"
    line = json.dumps(row(COMMIT, problem_statement=said, patch=patch), ensure_ascii=False)
    path.write_bytes(mark + line.encode() + end)
    made = drafts(path, Options(image="base")).sound
    [folder] = write(made, tmp_path / "out")
    [scenario] = load(folder).scenarios
    assert scenario.problem_statement == said
    assert scenario.reference_output is not None
    assert scenario.reference_output.contents == patch


JUNK = ["[100%]", "...", "", "test_whole", "90", "a\nb"]


@pytest.mark.parametrize("junk", JUNK)
def test_junk_among_the_tests_is_told_by_line_and_field(tmp_path: Path, junk: str) -> None:
    for wanted in (["tests/test_a.py::b"], ["test_b (a.C)"]):
        bad = row(COMMIT, FAIL_TO_PASS=wanted, PASS_TO_PASS=[junk], instance_id="bad")
        good = row(COMMIT, FAIL_TO_PASS=wanted, PASS_TO_PASS=[])
        found = drafts(write_rows(tmp_path / "rows.jsonl", bad, good), Options())
        [fault] = found.faults
        assert fault.startswith(f"{tmp_path / 'rows.jsonl'}:1: PASS_TO_PASS")
        assert [made.name for made in found.sound] == ["example__stats-1"]


def test_bad_rows_are_skipped_if_asked_to(tmp_path: Path) -> None:
    rows = write_rows(tmp_path / "rows.jsonl", row(COMMIT, instance_id="bad", repo="x"), row(COMMIT))
    command = ["scenario", "import", "--swebench", str(rows), "--to", str(tmp_path / "out")]
    refused = CliRunner().invoke(app, command)
    assert refused.exit_code == 2
    assert not (tmp_path / "out").exists()
    taken = CliRunner().invoke(app, [*command, "--skip-bad"])
    assert taken.exit_code == 0
    assert f"skipped: {rows}:1: repo: " in taken.output
    assert [folder.name for folder in (tmp_path / "out").iterdir()] == ["example__stats-1"]
    only_bad = write_rows(tmp_path / "bad.jsonl", row(COMMIT, repo="x"))
    command = ["scenario", "import", "--swebench", str(only_bad), "--to", str(tmp_path / "none"), "--skip-bad"]
    assert CliRunner().invoke(app, command).exit_code == 2


def test_binary_changes_without_data_are_told(tmp_path: Path) -> None:
    binary = "diff --git a/x.png b/x.png\nnew file mode 100644\nBinary files /dev/null and b/x.png differ\n"
    found = drafts(write_rows(tmp_path / "rows.jsonl", row(COMMIT, test_patch=binary, patch=binary)), Options())
    assert [fault.split(": ")[1] for fault in found.faults] == ["patch", "test_patch"]
    assert all("x.png" in fault for fault in found.faults)


def test_results_in_another_form_let_tests_have_any_names(tmp_path: Path) -> None:
    rows = write_rows(tmp_path / "rows.jsonl", row(COMMIT, FAIL_TO_PASS=["sums adds"], PASS_TO_PASS=["[1]"]))
    assert drafts(rows, Options(test_command="npx jest --json", results="jest-json")).faults == []
    for options in (Options(results="jest-json"), Options(test_command="x", results="other")):
        with pytest.raises(FolderFault, match="--results"):
            drafts(rows, options)


def test_one_kind_of_tasks_must_be_named() -> None:
    assert CliRunner().invoke(app, ["scenario", "import"]).exit_code == 2
