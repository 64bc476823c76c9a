"""SWE-bench rows as scenarios: a row of our own is imported, solved and scored in real sandboxes."""

from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from loopyard.cli import app
from tests.integration.bench.benching import Bench, agents
from tests.integration.bench.importing.repository import SETUP, base_commit, row, write_rows
from tests.serving import ServerProcess

INSTALLS = """git config --global user.name setup
printf '#!/bin/sh\\nexec python3 -m unittest --verbose "$@"\\n' > /usr/local/bin/run-tests
chmod 755 /usr/local/bin/run-tests
"""
SHAM = (
    'printf \'#!/bin/sh\\necho "test_half (tests.test_stats.Mean) ... ok"; '
    'echo "test_whole (tests.test_stats.Mean) ... ok"\\n\' > /usr/local/bin/run-tests'
)
BREAKS_MORE = "sed -i 's/sum(values) .*/1.5/' stats.py"
HIDES_TESTS = "printf 'def mean(values):\\n    return 0\\n' > stats.py; rm tests/test_stats.py; git commit -qam x"

SAYS_OK = 'print("test_half (tests.test_stats.Mean) ... ok\\ntest_whole (tests.test_stats.Mean) ... ok", flush=True)'
STAYS = """
import glob, os, time
if os.fork() == 0:
    os.setsid()
    for _ in range(500):
        for out in glob.glob("/proc/[0-9]*/fd/1"):
            try: open(out, "w").write("score=1.0\\n")
            except OSError: pass
        time.sleep(0.005)
    os._exit(0)
"""
MENDS_REPORTS = """import pytest
@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    made = (yield).get_result()
    made.outcome, made.longrepr = "passed", None
def pytest_pyfunc_call(pyfuncitem):
    return True
"""


def leaves(path: str, text: str) -> list[str]:
    """An agent that adds to a file, and mends nothing."""
    return ["--agent-command", f"mkdir -p $(dirname {path}); cat >> {path} <<'END'\n{text}\nEND"]


def import_rows(rows: Path, folder: Path, setup: str, *options: str) -> Path:
    script = folder.with_suffix(".sh")
    script.write_text(setup)
    command = ["scenario", "import", "--swebench", str(rows), "--to", str(folder), "--setup", str(script), *options]
    called = CliRunner().invoke(app, command)
    assert called.exit_code == 0, called.output
    return folder


def scores(ended: Any) -> dict[str, float]:
    return {one["agent"]: one["score"] for one in ended.content["results"]}


def test_tests_named_as_pytest_does_are_run_in_an_image(server: ServerProcess, tmp_path: Path) -> None:
    rows = write_rows(tmp_path / "rows.jsonl", row(base_commit(tmp_path / "repository")))
    setup = SETUP + "python3 -m venv /opt/env && /opt/env/bin/pip install --quiet pytest\n"
    command = "/opt/env/bin/python -m pytest -rA --tb=no -p no:cacheprovider {tests}"
    options = ["--image", "loopyard-base", "--test-command", command]
    folder = import_rows(rows, tmp_path / "pytest", setup, *options)
    commands = ["--agent-command", BREAKS_MORE, "--agent-command", HIDES_TESTS]
    commands += [*leaves("tests/conftest.py", MENDS_REPORTS), *leaves("pytest.ini", "[pytest]\naddopts = -p no:runner")]
    ended = Bench(folder, *agents(["oracle", "nop"]), *commands, "--concurrency", "2", server=server).wait()
    assert scores(ended) == {
        "oracle": 1.0, "nop": 0.0, "command-1": 0.0, "command-2": 0.0, "command-3": 0.0, "command-4": 0.0
    }, ended.out + ended.err  # fmt: skip
    assert ended.status == 0
    told = ended.result("example__stats-1", "command-1")["functions"][0]["output"]
    assert "of pass-to-pass did not pass:\n  tests/test_stats.py::Mean::test_whole" in told
    assert "of fail-to-pass" not in told


def test_tests_named_as_unittest_does_are_run_in_the_base_image(server: ServerProcess, tmp_path: Path) -> None:
    names = {
        "FAIL_TO_PASS": ["test_half (tests.test_stats.Mean)"],
        "PASS_TO_PASS": ["test_whole (tests.test_stats.Mean)"],
    }
    rows = write_rows(tmp_path / "rows.jsonl", row(base_commit(tmp_path / "repository"), **names))
    folder = import_rows(rows, tmp_path / "unittest", SETUP, "--image", "base")
    cheats = [
        *leaves("stats.py", SAYS_OK),
        *leaves("stats.py", f"{SAYS_OK}\nimport os; os._exit(0)"),
        *leaves("stats.py", STAYS),
        *leaves("tests/test_stats/__init__.py", "import os; os._exit(0)"),
        *leaves("unittest/__init__.py", "import os; os._exit(0)"),
    ]
    ended = Bench(folder, *agents(["oracle", "nop"]), *cheats, "--concurrency", "2", server=server).wait()
    expected = {"oracle": 1.0, "nop": 0.0, **{f"command-{number}": 0.0 for number in range(1, 6)}}
    assert scores(ended) == expected, ended.out + ended.err
    assert ended.status == 0


def test_any_command_and_patches_to_the_byte(server: ServerProcess, tmp_path: Path) -> None:
    setup = SETUP.replace(
        "git add --all", "printf 'a\\r\\nb\\r\\n' > crlf.txt; printf 'x\\n\\n' > tést.txt\ngit add --all"
    )
    patch = "--- a/crlf.txt\n+++ b/crlf.txt\n@@ -1,2 +1,2 @@\n a\r\n-b\r\n+c\r\n"
    quoted = '"{}/t\\303\\251st.txt"'
    patch += f"--- {quoted.format('a')}\n+++ {quoted.format('b')}\n@@ -1,2 +1,2 @@\n-x\n+y"
    made = "--- /dev/null\n+++ b/report.txt\n@@ -0,0 +1 @@\n+\x1b[32mPASSED\x1b[0m t.py::a[b c]\n"
    changes = {"FAIL_TO_PASS": ["t.py::a[b"], "PASS_TO_PASS": [], "patch": patch, "test_patch": made}
    rows = write_rows(tmp_path / "rows.jsonl", row(base_commit(tmp_path / "repository", setup), **changes))
    command = "printf 'a\\r\\nc\\r\\n' | cmp - crlf.txt && grep -q y tést.txt && cat report.txt || true; : {tests}"
    folder = import_rows(rows, tmp_path / "bytes", setup, "--image", "base", "--test-command", command)
    ended = Bench(folder, *agents(["oracle", "nop"]), "--concurrency", "2", server=server).wait()
    assert scores(ended) == {"oracle": 1.0, "nop": 0.0}, ended.out + ended.err


def test_what_setup_installed_is_there_for_the_tests_and_what_an_agent_installed_is_not(
    server: ServerProcess, tmp_path: Path
) -> None:
    names = {
        "FAIL_TO_PASS": ["test_half (tests.test_stats.Mean)"],
        "PASS_TO_PASS": ["test_whole (tests.test_stats.Mean)"],
    }
    rows = write_rows(tmp_path / "rows.jsonl", row(base_commit(tmp_path / "repository"), **names))
    options = ["--image", "base", "--test-command", "run-tests {tests}"]
    folder = import_rows(rows, tmp_path / "installs", SETUP + INSTALLS, *options)
    assert '"loopyard.system_files" = "restored"' in next(folder.rglob("scenario.toml")).read_text()
    ended = Bench(folder, *agents(["oracle"]), "--agent-command", SHAM, "--concurrency", "2", server=server).wait()
    assert scores(ended) == {"oracle": 1.0, "command": 0.0}, ended.out + ended.err
    told = {one["agent"]: one["functions"][0]["output"] for one in ended.content["results"]}
    assert "could not write" not in told["oracle"]
    assert "(/usr/local/bin/run-tests; manifest.json" in told["command"]
