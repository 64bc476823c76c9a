"""Harbor's tasks as scenario folders, and every fault of a task."""

import io
import shutil
import tarfile
from pathlib import Path

import pytest
from e2b_dockerfile_utils import ShellLex, parse_dockerfile_ast
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from loopyard.bench.importing.draft import write
from loopyard.bench.importing.harbor import compose, dockerfile, scripts
from loopyard.bench.importing.harbor.convert import drafts
from loopyard.bench.loader import FolderFault, load
from loopyard.cli import app

LABEL = 'LABEL loopyard.starts-in-workdir="true"\n'
TASKS = Path(__file__).parents[3] / "integration/bench/importing/harbor_tasks"


def faults(folder: Path) -> list[str]:
    with pytest.raises(FolderFault) as caught:
        drafts(folder)
    return [line.replace(f"{folder}/", "") for line in caught.value.faults]


@pytest.fixture
def task(tmp_path: Path) -> Path:
    return Path(shutil.copytree(TASKS / "fix-greeting", tmp_path / "task"))


def test_a_task_becomes_a_folder_that_is_sound_and_is_not_overwritten(task: Path, tmp_path: Path) -> None:
    made = drafts(task)
    [place] = write(made, tmp_path / "out")
    [scenario] = load(place).scenarios
    assert scenario.name == "task"
    launch = scenario.environment.launch_parameters
    assert launch is not None
    assert (launch.custom_cpu_cores, launch.custom_gb_memory, launch.custom_disk_size) == (1, 2, 2)
    assert scenario.environment.working_directory is None
    assert scenario.environment.dockerfile is not None
    assert scenario.environment.dockerfile.endswith(LABEL)
    assert scenario.environment.allowed_hostnames is None
    with pytest.raises(FolderFault, match="exists already"):
        write(made, tmp_path / "out")


def test_a_prebuilt_image_is_taken_instead_of_a_build(task: Path) -> None:
    (task / "task.toml").write_text('[environment]\ndocker_image = "example/task:1"\nworkdir = "/srv"')
    [made] = drafts(task)
    assert made.dockerfile == f"FROM example/task:1\n{LABEL}"
    assert made.build_context is None
    assert made.environment["working_directory"] == "/srv"


def test_variables_are_known_or_asked_for_by_their_own_name(task: Path) -> None:
    (task / "task.toml").write_text(
        '[environment.env]\nA = "1"\nTOKEN = "${TOKEN}"\n'
        '[verifier.env]\nB = "${B:-2}"\n[solution.env]\nC = "${OTHER}"\n'
    )
    assert faults(task) == ["task.toml:7: solution.env.C: has the value of OTHER; give both the same name"]
    text = (task / "task.toml").read_text().replace("OTHER", "OTHER:-x")
    (task / "task.toml").write_text(text)
    [made] = drafts(task)
    assert made.required_environment_variables == ["TOKEN"]
    assert made.dockerfile is not None
    assert made.dockerfile.endswith('ENV A="1"\n')
    assert "export B=2\n" in made.scorer_script
    assert made.reference is not None
    assert "export C=x\n" in made.reference


def test_all_that_a_scenario_cannot_be_is_told_with_file_line_and_field(task: Path) -> None:
    (task / "task.toml").write_text(
        """
[environment]
os = "windows"
gpus = 1
network_mode = "no-network"
mcp_servers = [{ name = "x", url = "http://x" }]

[agent]
user = "bob"

[verifier]
environment_mode = "separate"
network_mode = "public"

[[verifier.collect]]
command = "x"

[[steps]]
name = "one"
"""
    )
    (task / "instruction.md").write_text(" ")
    (task / "tests" / "test.sh").unlink()
    (task / "environment" / "docker-compose.yaml").write_text("services:\n  main: {}\n  db: {}\n")
    assert [line.rsplit(": ", 1)[0] for line in faults(task)] == [
        "task.toml:18: steps",
        "task.toml:3: environment.os",
        "task.toml:4: environment.gpus",
        "task.toml:6: environment.mcp_servers",
        "task.toml:12: verifier.environment_mode",
        "task.toml:15: verifier.collect",
        "task.toml:9: agent.user",
        "task.toml:13: verifier.network_mode",
        "instruction.md:1",
        "tests/test.sh:1",
        "environment/docker-compose.yaml:3: services.db",
    ]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[environment\n", "task.toml:1: not valid TOML"),
        ("[agent]\n\n[verifier]\ntimeout_sec = 'long'\n", "task.toml:4: verifier.timeout_sec: Input should be a valid"),
        ("[environment.healthcheck]\nretries = 2\n", "task.toml:1: environment.healthcheck.command: is required"),
        ("[environment]\nmemory = '2 potatoes'\n", "task.toml:1: environment: '2 potatoes' is no size"),
        ("[environment]\ncpus = 64\n", "task.toml:1: environment: 64 processors are more than the 16"),
        ("environment = 3\n", "task.toml:1: environment: Input should be a valid dictionary"),
    ],
)
def test_what_is_wrong_in_a_file_is_told_where_it_is(task: Path, text: str, told: str) -> None:
    (task / "task.toml").write_text(text)
    [line] = faults(task)
    assert line.startswith(told)


def test_faults_of_all_tasks_are_told_and_nothing_is_written(tmp_path: Path) -> None:
    tasks = Path(shutil.copytree(TASKS, tmp_path / "tasks"))
    for name in ("count-words", "fix-greeting"):
        (tasks / name / "instruction.md").unlink()
    arguments = ["scenario", "import", "--harbor", str(tasks), "--to", str(tmp_path / "out")]
    called = CliRunner().invoke(app, arguments)
    assert called.exit_code == 2
    assert "count-words/instruction.md:1: is missing" in called.output
    assert "fix-greeting/instruction.md:1: is missing" in called.output
    assert not (tmp_path / "out").exists()
    assert "has no task.toml" in CliRunner().invoke(app, [*arguments[:3], str(tmp_path), *arguments[4:]]).output


def test_links_out_of_a_task_are_refused(task: Path) -> None:
    (task / "tests" / "passwd").symlink_to("/etc/passwd")
    [line] = faults(task)
    assert "is a link that leads out of" in line


def test_good_tasks_are_imported_beside_bad_ones_where_that_is_asked_for(tmp_path: Path) -> None:
    tasks = Path(shutil.copytree(TASKS, tmp_path / "tasks"))
    (tasks / "count-words" / "instruction.md").write_bytes(b"one\ncaf\xe9\n")
    arguments = ["scenario", "import", "--harbor", str(tasks), "--to", str(tmp_path / "out")]
    assert CliRunner().invoke(app, arguments).exit_code == 2
    called = CliRunner().invoke(app, [*arguments, "--skip-bad"])
    assert called.exit_code == 0
    assert "count-words/instruction.md:2: is not UTF-8 text" in called.stderr
    assert called.stdout == f"{tmp_path / 'out' / 'fix-greeting'}\n"
    (tasks / "fix-greeting" / "instruction.md").unlink()
    assert CliRunner().invoke(app, [*arguments, "--skip-bad"]).exit_code == 2


def test_a_text_that_is_not_utf_8_is_told_with_the_other_faults(task: Path) -> None:
    (task / "task.toml").write_bytes(b"\xef\xbb\xbf[environment]\r\ngpus = 1\r\n")
    (task / "instruction.md").write_bytes(b"caf\xe9\n")
    (task / "environment" / "Dockerfile").write_bytes(b"FROM a\n# \xe9\n")
    assert [line.partition(": ")[0] for line in faults(task)] == [
        "task.toml:2", "instruction.md:1", "environment/Dockerfile:2"
    ]  # fmt: skip


def test_a_statement_keeps_its_bytes(task: Path) -> None:
    (task / "instruction.md").write_bytes("\ufeffone\r\ntwo\u2028".encode())
    [made] = drafts(task)
    assert made.problem_statement == "\ufeffone\r\ntwo\u2028"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("FROM a\nRUN <<E\nx\n", "2: unterminated heredoc"),
        ("FROM a\nFOO x\n", "2: unknown instruction: FOO"),
        ("# nothing\n", "1: has no FROM"),
    ],
)
def test_what_is_no_dockerfile_is_told_with_its_line(task: Path, text: str, told: str) -> None:
    (task / "environment" / "Dockerfile").write_text(text)
    [line] = faults(task)
    assert line.startswith(f"environment/Dockerfile:{told}")


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("FROM a\nCOPY <<SQL /q\nFROM users\nSQL\n", "FROM a\nCOPY <<SQL /q\nFROM users\nSQL\n"),
        ("FROM a\nRUN x \\\n", "FROM a\nRUN x \n"),
        ("FROM a\nRUN x \\\\\n", "FROM a\nRUN x \\\\\n"),
    ],
)
def test_a_dockerfile_is_kept_and_ended(text: str, kept: str) -> None:
    assert dockerfile.ended(text, {}) == dockerfile.Ended(kept + LABEL)


def test_values_that_no_line_can_say_are_build_arguments() -> None:
    values = {"A": 'x"$y\\', "B": "one\ntwo", "C": "z" * 10_000, "D": ""}
    ended = dockerfile.ended("FROM a\n", values)
    assert ended.text.removeprefix(f"FROM a\n{LABEL}").splitlines() == [
        'ENV A="x\\"\\$y\\\\"',
        "ARG LOOPYARD_VALUE_0",
        'ENV B="$LOOPYARD_VALUE_0"',
        "ARG LOOPYARD_VALUE_1",
        'ENV C="$LOOPYARD_VALUE_1"',
        'ENV D=""',
    ]
    assert ended.build_args == {"LOOPYARD_VALUE_0": "one\ntwo", "LOOPYARD_VALUE_1": "z" * 10_000}
    other = dockerfile.ended("# escape=`\nFROM a\n", {"A": "x"})
    assert other.build_args == {"LOOPYARD_VALUE_0": "x"}


def test_a_value_with_lines_reaches_the_folder(task: Path, tmp_path: Path) -> None:
    (task / "task.toml").write_text('[environment.env]\nPEM = "one\\ntwo"\n')
    [place] = write(drafts(task), tmp_path / "out")
    [scenario] = load(place).scenarios
    assert scenario.environment.build_args == {"LOOPYARD_VALUE_0": "one\ntwo"}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("services:\n  main:\n    environment:\n      - A=b\n      - T\n", {"A": "b", "T": "${T}"}),
        ("\ufeffservices: {main: {environment: {A: 1, B: ~, C: '${C:-x}'}}}", {"A": "1", "B": "${B}", "C": "${C:-x}"}),
        ("services: {main: {}}\nx-more: 1\n", {}),
        ("", {}),
    ],
)
def test_a_compose_file_may_set_variables(text: str, found: dict[str, str]) -> None:
    assert compose.variables(Path("c.yaml"), text) == found


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("services:\n  main: {}\n  db: {}\n", "c.yaml:3: services.db: a scenario is one box"),
        ("services:\n  main:\n    ports: [80]\n", "c.yaml:3: services.main.ports: only variables"),
        ("volumes: {}\n", "c.yaml:1: volumes: only variables"),
        ("services: [1\n", "c.yaml:2: not valid YAML"),
        ("[1]", "c.yaml:1: a compose file is a mapping"),
        (
            "services:\n  main:\n    environment:\n      A: true\n",
            "c.yaml:4: services.main.environment: the value of A",
        ),
        ("services: {main: {environment: 1}}", "c.yaml:1: services.main.environment: is a list"),
    ],
)
def test_what_else_a_compose_file_says_is_told(text: str, told: str) -> None:
    with pytest.raises(FolderFault) as caught:
        compose.variables(Path("c.yaml"), text)
    assert caught.value.faults[0].startswith(told)


def test_a_compose_files_variables_are_the_tasks(task: Path) -> None:
    (task / "environment" / "docker-compose.yaml").write_text("services: {main: {environment: {A: b, B: c, T: ~}}}")
    (task / "task.toml").write_text('[environment.env]\nB = "d"\n')
    [made] = drafts(task)
    assert made.dockerfile is not None
    assert made.dockerfile.endswith('ENV A="b"\nENV B="d"\n')
    assert made.required_environment_variables == ["T"]


@pytest.mark.parametrize(
    ("script", "command", "kept"),
    [
        (b"#!/bin/sh\ntrue\n", "/tests/test.sh", b"#!/bin/sh\ntrue\n"),
        (b"\xef\xbb\xbf#!/bin/sh\r\ntrue\r\n", "/tests/test.sh", b"#!/bin/sh\ntrue\n"),
        (b"true\n", "bash /tests/test.sh", b"true\n"),
    ],
)
def test_a_script_runs_as_it_was_meant(task: Path, script: bytes, command: str, kept: bytes) -> None:
    (task / "tests" / "test.sh").write_bytes(script)
    (task / "tests" / "other.sh").write_bytes(b"x\r\n")
    packed = scripts.packed(task / "tests", "test.sh")
    assert packed.command == command
    with tarfile.open(fileobj=io.BytesIO(packed.archive)) as archive:
        members = {name: archive.extractfile(name) for name in ("test.sh", "other.sh")}
        assert {name: file.read() for name, file in members.items() if file} == {"test.sh": kept, "other.sh": b"x\r\n"}


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=50))
def test_a_value_is_exact_whatever_it_is(value: str) -> None:
    ended = dockerfile.ended("FROM a\n", {"NAME": value})
    [raw] = [one.args[1] for one in parse_dockerfile_ast(ended.text).instructions if one.name == "ENV"]
    [said] = ShellLex("\\").process_words(raw) or [""]
    assert ended.build_args.get(said.removeprefix("$"), said) == value


@pytest.mark.parametrize(("table", "name"), [("environment.env", "A B"), ("verifier.env", "a.b"), ("solution.env", "")])
def test_names_that_no_variable_has_are_told(task: Path, table: str, name: str) -> None:
    (task / "task.toml").write_text(f'[{table}]\n"{name}" = "x"\n')
    [line] = faults(task)
    assert line.startswith(f"task.toml:2: {table}.{name}: ")
    assert "is no variable" in line
