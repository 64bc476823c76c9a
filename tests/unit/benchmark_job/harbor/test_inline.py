"""What the inline YAML of a Harbor job may say."""

from pathlib import Path

import pytest

from loopyard.benchmark_job.harbor import inline
from loopyard.benchmark_job.harbor.inline import InvalidYaml

PLAIN = "agents: [{name: oracle}]\ntasks: [{path: a}]\n"


def test_a_job_runs_in_this_servers_sandboxes_whatever_it_says_of_folders(tmp_path: Path) -> None:
    (tmp_path / "tasks" / "a").mkdir(parents=True)
    text = """
job_name: mine
n_attempts: 2
agents: [{name: claude-code, model_name: m, env: {KEY: "${KEY}"}, kwargs: {max_turns: 3}}]
datasets: [{path: a, task_names: ["x*"]}, {name: terminal-bench, version: "2.0"}]
tasks: [{path: sub/x, git_url: "https://code.example/x.git"}]
environment: {override_cpus: 2}
"""
    job = inline.parse(text)
    assert job.variables == ["KEY"]
    content = inline.configuration(job, "bmj_1", tmp_path / "jobs", tmp_path / "tasks")
    assert (content["job_name"], content["jobs_dir"], content["n_attempts"]) == ("bmj_1", str(tmp_path / "jobs"), 2)
    assert content["environment"] == {"override_cpus": 2, "env": {}, "type": "runloop", "delete": True}
    assert [one.get("path") for one in content["datasets"]] == [str(tmp_path / "tasks" / "a"), None]
    assert content["tasks"] == [{"path": "sub/x", "git_url": "https://code.example/x.git"}]
    assert content["agents"][0]["kwargs"] == {"max_turns": 3}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("agents: [", "not valid YAML"),
        ("[]", "valid dictionary"),
        ("!!python/object/apply:os.system [id]", "not valid YAML"),
        ("agents: [{name: oracle}]", "name datasets or tasks"),
        ("tasks: [{path: a}]", "agents: Field required"),
        (PLAIN + "jobs_dir: /etc", "jobs_dir: this key cannot be used here"),
        (PLAIN + "plugins: [x]", "plugins: this key cannot be used here"),
        (PLAIN + "metrics: [{type: uv-script}]", "metrics: this key cannot be used here"),
        (PLAIN + "environment: {type: docker}", "environment.type: Input should be 'runloop'"),
        (PLAIN + "environment: {import_path: 'a:B'}", "environment.import_path: this key cannot be used here"),
        (PLAIN + "environment: {mounts: []}", "environment.mounts: this key cannot be used here"),
        (PLAIN + "verifier: {import_path: 'a:B'}", "verifier.import_path: this key cannot be used here"),
        ("agents: [{name: oracle, import_path: 'a:B'}]\ntasks: [{path: a}]", "agents.0.import_path: this key cannot"),
        ("agents: [{name: 'acp:x'}]\ntasks: [{path: a}]", "agents.0.name: String should match"),
        ("agents: [{name: x, kwargs: {prompt_template_path: /etc/shadow}}]\ntasks: [{path: a}]", "files of the server"),
        ("agents: [{name: x, kwargs: {a: [{skills_dir: /}]}}]\ntasks: [{path: a}]", "kwargs.skills_dir names files"),
        ("agents: [{name: x}]\ntasks: [{path: ../a, git_url: 'https://x'}]", "tasks.0.path: Value error, must"),
        ("a: &a [x]\nagents: *a", "aliases cannot be used here"),
        ("agents: [{name: x}]\ntasks: [{path: a, git_url: 'ext::sh -c id'}]", "tasks.0.git_url: String should match"),
    ],
)  # fmt: skip
def test_what_a_job_may_not_say_is_told_by_its_key(text: str, told: str) -> None:
    with pytest.raises(InvalidYaml) as caught:
        inline.parse(text)
    assert told in str(caught.value)


@pytest.mark.parametrize("path", ["..", "../other", "/etc", "link", "missing", "file"])
def test_paths_do_not_lead_out_of_the_folder_of_tasks(tmp_path: Path, path: str) -> None:
    tasks = tmp_path / "tasks"
    tasks.mkdir()
    (tmp_path / "other").mkdir()
    (tasks / "link").symlink_to(tmp_path / "other")
    (tasks / "file").write_text("")
    job = inline.parse(f"agents: [{{name: oracle}}]\ndatasets: [{{path: {path}}}]")
    with pytest.raises(InvalidYaml, match=r"datasets\.0\.path: .* is no folder within"):
        inline.configuration(job, "j", tmp_path, tasks)
    with pytest.raises(InvalidYaml, match="set LOOPYARD_JOBS__HARBOR__TASKS"):
        inline.configuration(job, "j", tmp_path, None)


def test_a_yaml_that_is_nested_or_long_beyond_measure_is_refused() -> None:
    with pytest.raises(InvalidYaml, match="nested 32 levels deep at most"):
        inline.parse("[" * 100_000)
    with pytest.raises(InvalidYaml, match="1,048,576 bytes at most"):
        inline.parse(" " * (1024**2 + 1))
