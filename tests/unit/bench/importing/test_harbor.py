"""Harbor's tasks as scenario folders, and every fault of a task."""

import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from loopyard.bench.importing.draft import write
from loopyard.bench.importing.harbor import dockerfile
from loopyard.bench.importing.harbor.convert import drafts
from loopyard.bench.loader import FolderFault, load
from loopyard.cli import app

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
    assert scenario.environment.working_directory == "/workspace"
    assert scenario.environment.allowed_hostnames is None
    with pytest.raises(FolderFault, match="exists already"):
        write(made, tmp_path / "out")


def test_a_prebuilt_image_is_taken_instead_of_a_build(task: Path) -> None:
    (task / "task.toml").write_text('[environment]\ndocker_image = "example/task:1"\nworkdir = "/srv"')
    [made] = drafts(task)
    assert made.dockerfile == "FROM example/task:1\n"
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
    (task / "environment" / "docker-compose.yaml").write_text("services: {}")
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
        "environment/docker-compose.yaml:1",
    ]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[environment\n", "task.toml:1: not valid TOML"),
        ("[agent]\n\n[verifier]\ntimeout_sec = 'long'\n", "task.toml:4: verifier.timeout_sec: Input should be a valid"),
        ("[environment.healthcheck]\nretries = 2\n", "task.toml:1: environment.healthcheck.command: is required"),
        ("[environment]\nmemory = '2 potatoes'\n", "task.toml:1: environment: Value error, '2 potatoes' is no size"),
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


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("FROM a\n", None),
        ("FROM a\nWORKDIR /x\nWORKDIR y/z\n", "/x/y/z"),
        ("FROM a AS one\nWORKDIR /x\nFROM b\n", None),
        ("FROM a AS one\nWORKDIR /x\nFROM --platform=linux/amd64 one as two\nworkdir 'y'\n", "/x/y"),
        ("FROM a\n# WORKDIR /c\nRUN echo WORKDIR /d\n", None),
    ],
)
def test_the_working_directory_is_that_of_the_last_stage(text: str, found: str | None) -> None:
    assert dockerfile.workdir(text) == found


def test_a_working_directory_from_a_variable_must_be_told(task: Path) -> None:
    (task / "environment" / "Dockerfile").write_text("FROM a\nENV D=/d\nWORKDIR $D\n")
    [line] = faults(task)
    assert line.startswith("environment/Dockerfile:3: WORKDIR: $D cannot be known before the build; set")
