"""Reading folders of scenarios."""

import uuid
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from loopyard.bench.loader import FolderFault, load
from loopyard.bench.scorers import BashScriptScorer, TestBasedScorer
from tests.integration.bench.folders import TINY, write_scenario, write_tiny

REAL_BUGS = Path(__file__).parents[3] / "examples" / "real-bugs"


def faults(folder: Path) -> list[str]:
    with pytest.raises(FolderFault) as caught:
        load(folder)
    return caught.value.faults


def test_a_folder_of_folders_is_read_in_the_order_of_their_names(tmp_path: Path) -> None:
    for name in ("b", "a", "c"):
        write_tiny(tmp_path, name)
    (tmp_path / "notes").mkdir()
    suite = load(tmp_path)
    assert [scenario.name for scenario in suite.scenarios] == ["a", "b", "c"]
    assert suite.benchmark.name == tmp_path.name


def test_one_scenarios_own_folder_is_read_too(tmp_path: Path) -> None:
    assert [scenario.name for scenario in load(write_tiny(tmp_path)).scenarios] == ["say-hello"]


def test_a_benchmark_file_names_the_benchmark(tmp_path: Path) -> None:
    write_tiny(tmp_path)
    (tmp_path / "benchmark.toml").write_text('name = "small"\ndescription_file = "about.md"')
    (tmp_path / "about.md").write_text("Small things.")
    assert load(tmp_path).benchmark.model_dump() == {"name": "small", "description": "Small things."}


def test_texts_may_stand_in_files_of_their_own(tmp_path: Path) -> None:
    text = """
name = "files"
problem_statement_file = "problem.md"
reference_output = { type = "patch", contents_file = "solution.patch" }

[[scoring_functions]]
name = "tests"
weight = 1.0
[scoring_functions.scorer]
type = "test_based_scorer"
test_command = "true"
[[scoring_functions.scorer.test_files]]
file_path = "t.py"
file_contents_file = "t.py"
"""
    write_scenario(tmp_path, text, problem__md="Ä problem.\n", solution__patch="--- a\n+++ b\n", t__py="pass\n")
    scenario = load(tmp_path).scenarios[0]
    assert scenario.problem_statement == "Ä problem.\n"
    assert scenario.reference_output is not None
    assert scenario.reference_output.contents == "--- a\n+++ b\n"
    scorer = scenario.scoring_functions[0].scorer
    assert isinstance(scorer, TestBasedScorer)
    assert scorer.test_files[0].file_contents == "pass\n"


def test_all_faults_are_told_at_once_each_with_its_file_and_key(tmp_path: Path) -> None:
    bad = """
nme = "x"
problem_statement_file = "missing.md"
scorer_timeout_sec = 0

[environment]
working_directory = "relative"

[environment.launch_parameters]
launch_commands = ["true", 3]

[[scoring_functions]]
name = "a b"
weight = 2.0
scorer = { type = "bash_script_scorer", bash_script_file = "x.sh", bash_script = "x" }

[[scoring_functions]]
name = "ok"
weight = 0.5
scorer = { type = "nothing" }

[[scoring_functions]]
name = "outside"
weight = 0.5
scorer = { type = "command_scorer", command_file = "../b/secret.sh" }

[reference_output]
type = "diff"
contents = ""
"""
    one = write_scenario(tmp_path, bad, "a") / "scenario.toml"
    two = write_scenario(tmp_path, "name = ", "b", secret__sh="true") / "scenario.toml"
    (tmp_path / "benchmark.toml").write_text("title = 3")
    found = faults(tmp_path)
    keys = {line.split(": ")[1] for line in found if line.startswith(f"{one}: ")}
    assert keys == {
        "nme",
        "name",
        "problem_statement",
        "scorer_timeout_sec",
        "environment.working_directory",
        "environment.launch_parameters.launch_commands[2]",
        "scoring_functions[1].name",
        "scoring_functions[1].weight",
        "scoring_functions[1].scorer.bash_script",
        "scoring_functions[2].scorer",
        "scoring_functions[3].scorer.command",
        "reference_output.type",
        "reference_output.contents",
    }
    assert any(line.startswith(f"{two}: not valid TOML") for line in found)
    assert any(line.startswith(f"{tmp_path / 'benchmark.toml'}: title: ") for line in found)
    assert any("missing.md" in line and "cannot be read" in line for line in found)
    assert any("leads out of the scenario's folder" in line for line in found)


@pytest.mark.parametrize(("weight", "told"), [("0.9", "sum to 0.9"), ("0", "greater than 0"), ("nan", "finite number")])
def test_weights_that_are_no_whole_are_refused(tmp_path: Path, weight: str, told: str) -> None:
    write_tiny(tmp_path, replace_1="weight = 1.0", by_1=f"weight = {weight}")
    assert told in faults(tmp_path)[0]


def test_names_are_unique_within_a_scenario_and_within_a_folder(tmp_path: Path) -> None:
    twice = TINY.format(name="a").replace("weight = 1.0", "weight = 0.5")
    start = twice.index("[[scoring_functions]]")
    end = twice.index("[reference_output]")
    write_scenario(tmp_path, twice[:end] + twice[start:end] + twice[end:], "a")
    assert "'said-it' is given twice" in faults(tmp_path)[0]
    write_scenario(tmp_path, TINY.format(name="b"), "a")
    write_scenario(tmp_path, TINY.format(name="b"), "b")
    assert f"is also the name in {tmp_path / 'a' / 'scenario.toml'}" in faults(tmp_path)[0]


def test_a_file_that_is_no_text_is_told(tmp_path: Path) -> None:
    statement = 'problem_statement = "Write the word hello to the file out.txt."'
    folder = write_tiny(tmp_path, replace_1=statement, by_1='problem_statement_file = "p"')
    (folder / "p").write_bytes(b"\xff\xfe\x00")
    assert "not UTF-8" in faults(tmp_path)[0]


def test_a_folder_without_scenarios_says_what_it_should_hold(tmp_path: Path) -> None:
    assert "has no scenario.toml" in faults(tmp_path)[0]
    assert "is not a folder" in faults(tmp_path / "missing")[0]


def test_scenarios_are_chosen_by_name(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        write_tiny(tmp_path, name)
    suite = load(tmp_path)
    assert [scenario.name for scenario in suite.only(["c", "a"]).scenarios] == ["a", "c"]
    assert suite.only([]) == suite
    with pytest.raises(FolderFault, match=r"'x'.*there are: a, b, c"):
        suite.only(["a", "x"])


def test_the_examples_are_sound_in_form_and_of_several_kinds() -> None:
    scenarios = load(REAL_BUGS).scenarios
    assert len(scenarios) >= 7
    kinds = {function.scorer.type for scenario in scenarios for function in scenario.scoring_functions}
    assert kinds == {"test_based_scorer", "bash_script_scorer", "command_scorer"}
    references = [scenario.reference_output.type for scenario in scenarios if scenario.reference_output]
    assert len(references) == len(scenarios)
    assert set(references) == {"script", "patch"}
    assert len({scenario.metadata["package"] for scenario in scenarios}) == len(scenarios)


_FILES = """
name = "files"
problem_statement_file = "problem.md"
reference_output = { type = "TYPE", contents_file = "solution" }

[[scoring_functions]]
name = "tests"
weight = 0.5
[scoring_functions.scorer]
type = "test_based_scorer"
test_command = "true"
[[scoring_functions.scorer.test_files]]
file_path = "t"
file_contents_file = "t"

[[scoring_functions]]
name = "script"
weight = 0.5
[scoring_functions.scorer]
type = "bash_script_scorer"
bash_script_file = "score.sh"
"""
_TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1) | st.lists(
    st.sampled_from(["a", "\n", "\r\n", "\r", "\u2028", "\x85", "\ufeff", "\0", "漢"]), min_size=1
).map("".join)


def write_bytes(folder: Path, toml: bytes, **files: bytes) -> Path:
    path = folder / uuid.uuid4().hex
    path.mkdir()
    (path / "scenario.toml").write_bytes(toml)
    for name, content in files.items():
        (path / name.replace("__", ".")).write_bytes(content)
    return path


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(_TEXTS)
def test_the_bytes_of_a_file_are_its_text(tmp_path: Path, text: str) -> None:
    content = text.encode()
    files = {"problem__md": content, "solution": b"-" + content, "t": content, "score__sh": b"true"}
    [scenario] = load(write_bytes(tmp_path, _FILES.replace("TYPE", "patch").encode(), **files)).scenarios
    assert scenario.problem_statement == text
    scorer = scenario.scoring_functions[0].scorer
    assert isinstance(scorer, TestBasedScorer)
    assert scorer.test_files[0].file_contents == text
    assert scenario.reference_output is not None
    assert scenario.reference_output.contents == f"-{text}"


@pytest.mark.parametrize(
    ("saved", "run"),
    [
        (b"a\r\nb\r\n", "a\nb\n"),
        (b"\xef\xbb\xbf#!/bin/bash\r\na\r\n", "#!/bin/bash\na\n"),
        (b"cat <<E\r\nx\nE\n", "cat <<E\r\nx\nE\n"),
        (b"printf '\r'\n", "printf '\r'\n"),
    ],
)
def test_a_script_runs_though_it_was_saved_elsewhere(tmp_path: Path, saved: bytes, run: str) -> None:
    files = {"problem__md": b"x", "solution": saved, "t": b"", "score__sh": saved}
    [scenario] = load(write_bytes(tmp_path, _FILES.replace("TYPE", "script").encode(), **files)).scenarios
    scorer = scenario.scoring_functions[1].scorer
    assert isinstance(scorer, BashScriptScorer)
    assert scorer.bash_script == run
    assert scenario.reference_output is not None
    assert scenario.reference_output.contents == run


def test_a_byte_order_mark_means_nothing_in_toml_and_in_patches(tmp_path: Path) -> None:
    toml = b"\xef\xbb\xbf" + _FILES.replace("TYPE", "patch").replace("\n", "\r\n").encode()
    patch = b"\xef\xbb\xbf--- a\r\n+++ b\r\n"
    files = {"problem__md": b"x", "solution": patch, "t": b"", "score__sh": b"true"}
    [scenario] = load(write_bytes(tmp_path, toml, **files)).scenarios
    assert scenario.reference_output is not None
    assert scenario.reference_output.contents == "--- a\r\n+++ b\r\n"


def test_a_line_that_is_not_utf_8_is_named(tmp_path: Path) -> None:
    files = {"problem__md": b"one\ntwo\xe9\n", "solution": b"x", "t": b"", "score__sh": b"true"}
    [fault] = faults(write_bytes(tmp_path, _FILES.replace("TYPE", "patch").encode(), **files))
    assert "problem_statement_file = 'problem.md': line 2 is not UTF-8 text" in fault
    [fault] = faults(write_bytes(tmp_path, b"name = 'caf\xe9'\n"))
    assert "line 1 is not UTF-8 text" in fault
