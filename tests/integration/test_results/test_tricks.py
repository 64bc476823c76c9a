"""Code under test that wants the score more than it wants to be right."""

from pathlib import Path

import pytest

from tests.integration.test_results.judging import PYTEST, UNITTEST, checked, scored

TEST = "import unittest\nimport m\nclass C(unittest.TestCase):\n    def test_c(self): self.assertEqual(m.x, 2)\n"
FUNCTION = "import m\ndef test_c(): assert m.x == 2\n"
EXIT = "import os\nos._exit(0)\n"
WRITES = """import os
for fd in range(3, 64):
    try: os.write(fd, b'{"kind": "end", "count": 1} 00\\n')
    except OSError: pass
"""
MAKEREPORT = """import pytest
@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    made = (yield).get_result()
    made.outcome, made.longrepr = "passed", None
"""
XFAILS = """import pytest
@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    made = (yield).get_result()
    if made.failed: made.outcome, made.wasxfail = "skipped", "known"
"""
PROTOCOL = """import pytest
from _pytest.reports import TestReport
@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item, nextitem):
    for when in ("setup", "call", "teardown"):
        made = TestReport(item.nodeid, item.location, {}, "passed", None, when)
        item.ihook.pytest_runtest_logreport(report=made)
    return True
"""
IN_THE_MODULE = {
    "says ok": "print('test_c (test_x.C) ... ok')\nprint('PASSED test_x.py::test_c\\nPASSED test_x.py::C::test_c')\n",
    "says ok and exits": f"print('test_c (test_x.C) ... ok\\nOK', flush=True)\n{EXIT}",
    "exits at the end": "import atexit, os\natexit.register(os._exit, 0)\n",
    "is killed": "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n",
    "writes into all descriptors": WRITES,
    "closes all descriptors": "import os\nos.closerange(3, 256)\n",
    "replaces the assertion": "import unittest\nunittest.TestCase.assertEqual = lambda *args: None\n",
    "replaces the code of the assertion": "import unittest\n"
    "unittest.TestCase.assertEqual.__code__ = (lambda self, first, second, msg=None: None).__code__\n",
    "replaces the run of tests": "import unittest\nunittest.TestCase.run = lambda self, result=None: "
    "(result.startTest(self), result.addSuccess(self), result.stopTest(self))\n",
    "replaces failures": "import unittest\nunittest.TestResult.addFailure = unittest.TestResult.addSuccess\n",
    "rewrites the test": "import os, sys\nfor name in ('test_x.py', 'test_it.py'):\n"
    "    if os.path.exists(name): open(name, 'w').write('def test_c(): pass\\n')\n",
}
BESIDE = {
    "package": {"test_x/__init__.py": EXIT},
    "package that passes": {"test_x/__init__.py": TEST.replace("m.x", "2")},
    "runner": {"unittest/__init__.py": EXIT, "pytest/__init__.py": EXIT, "pytest/__main__.py": EXIT},
    "modules of the library": {f"{name}.py": EXIT for name in ("json", "sitecustomize", "socket", "hmac", "typing")},
}  # fmt: skip
FOR_PYTEST = {
    "conftest exits": {"conftest.py": EXIT},
    "only collects": {"pytest.ini": "[pytest]\naddopts = --collect-only\n"},
    "no plug-in runs tests": {"pytest.ini": "[pytest]\naddopts = -p no:runner\n"},
    "reports are mended": {"conftest.py": MAKEREPORT},
    "failures are expected": {"conftest.py": XFAILS},
    "reports without runs": {"conftest.py": PROTOCOL},
    "the end is mended": {"conftest.py": "def pytest_sessionfinish(session): session.exitstatus = 0\n"},
    "a plug-in of the repository": {"pytest.ini": "[pytest]\naddopts = -p plug\n", "plug.py": MAKEREPORT},
    "replaces functions": {"conftest.py": "import _pytest.python as p\np.Function.runtest = lambda self: None\n"},
    "calls are taken over": {"conftest.py": "def pytest_pyfunc_call(pyfuncitem): return True\n"},
    "tests run something else": {
        "conftest.py": "def pytest_collection_modifyitems(items):\n    for item in items: item.runtest = lambda: None\n"
    },
    "functions are exchanged": {
        "conftest.py": "def pytest_collection_modifyitems(items):\n    for item in items: item.obj = lambda: None\n"
    },
    "fewer tests": {"conftest.py": "def pytest_collection_modifyitems(items): items.clear()\n"},
}


@pytest.mark.parametrize("trick", IN_THE_MODULE)
def test_a_module_under_test_cannot_tell_results(tmp_path: Path, trick: str) -> None:
    module = f"{IN_THE_MODULE[trick]}x = 1\n"
    told = scored(tmp_path, {"m.py": module, "test_x.py": TEST}, ["test_c (test_x.C)"], f"{UNITTEST} test_x")
    assert told.score == 0.0, told
    (tmp_path / "status").mkdir()
    assert checked(tmp_path / "status", {"m.py": module}, {"test_it.py": TEST}, f"{UNITTEST} test_it").score == 0.0


@pytest.mark.parametrize("trick", BESIDE)
def test_nothing_takes_the_place_of_tests_and_runners(tmp_path: Path, trick: str) -> None:
    wanted, command = ["test_c (test_x.C)"], f"{UNITTEST} test_x"
    for score in (0.0, 1.0):
        place = tmp_path / str(score)
        place.mkdir()
        files = {**BESIDE[trick], "m.py": f"x = {1 + score:g}\n", "test_x.py": TEST}
        assert scored(place, files, wanted, command).score == score
        (place / "status").mkdir()
        own = {path: text for path, text in files.items() if path != "test_x.py"}
        assert checked(place / "status", own, {"test_x.py": TEST}, command).score == score


@pytest.mark.parametrize("trick", FOR_PYTEST)
def test_what_steers_pytest_cannot_make_a_failure_pass(tmp_path: Path, trick: str) -> None:
    files = {"m.py": "x = 1\n", **FOR_PYTEST[trick]}
    told = checked(tmp_path, files, {"test_it.py": FUNCTION}, f"{PYTEST} -q test_it.py")
    assert told.score == 0.0, told


@pytest.mark.parametrize(
    "conftest",
    [
        "import asyncio\ndef pytest_pyfunc_call(pyfuncitem):\n    asyncio.run(pyfuncitem.obj())\n    return True\n",
        "import asyncio, functools\ndef run(call): asyncio.run(call())\n"
        "def pytest_collection_modifyitems(items):\n"
        "    for item in items: item.obj = functools.partial(run, item.obj)\n",
    ],
    ids=["hook", "wrapper"],
)
def test_a_repository_may_run_its_tests_in_its_own_way(tmp_path: Path, conftest: str) -> None:
    tests = {"test_it.py": "import m\nasync def test_c(): assert m.x == 2\n"}
    for x, score in ((2, 1.0), (1, 0.0)):
        place = tmp_path / str(x)
        place.mkdir()
        files = {"m.py": f"x = {x}\n", "conftest.py": conftest}
        told = checked(place, files, tests, f"{PYTEST} -q -p no:anyio test_it.py")
        assert told.score == score, told


def test_a_replaced_function_is_named(tmp_path: Path) -> None:
    module = "import unittest\nunittest.TestCase.assertEqual = lambda *args: None\nx = 1\n"
    told = scored(tmp_path, {"m.py": module, "test_x.py": TEST}, ["test_c (test_x.C)"], f"{UNITTEST} test_x")
    assert "the code under test replaced TestCase.assertEqual of the test framework" in "\n".join(told.lines)


@pytest.mark.parametrize(
    ("command", "files", "score"),
    [
        pytest.param("cat report.txt || true; : {tests}", {"report.txt": "PASSED t.py::a\n"}, 1.0, id="any shell text"),
        pytest.param("(\n# both\ncat one\ncat report.txt)", {"report.txt": "PASSED t.py::a\n"}, 1.0, id="subshell"),
        pytest.param("cat <<'END'\nPASSED t.py::a\nEND", {}, 1.0, id="here document"),
        pytest.param("cat report.txt 1>&2; exit 3", {"report.txt": "PASSED t.py::a\n"}, 1.0, id="standard error"),
        pytest.param("false && echo PASSED t.py::a", {}, 0.0, id="nothing"),
        pytest.param("echo PASSED t.py::a; : python -m pytest t.py", {}, 0.0, id="pytest without a report"),
    ],
)  # fmt: skip
def test_a_command_is_taken_whole(tmp_path: Path, command: str, files: dict[str, str], score: float) -> None:
    (tmp_path / "work").mkdir()
    assert scored(tmp_path, files, ["t.py::a"], command).score == score


def test_results_of_another_runner_come_from_its_file(tmp_path: Path) -> None:
    old = {"out.xml": '<testsuite><testcase name="a"/></testsuite>'}
    assert scored(tmp_path, old, ["a"], "true", results="junit-xml:out.xml").score == 0.0
    new = "echo '<testsuite><testcase name=\"a\"/></testsuite>' > out.xml"
    (tmp_path / "new").mkdir()
    assert scored(tmp_path / "new", old, ["a"], new, results="junit-xml:out.xml").score == 1.0


@pytest.mark.parametrize("path", ["", "PYTHONPATH=src ", "export PYTHONPATH='src'; ", "env PYTHONPATH=src "])
def test_commands_may_set_the_path_of_python(tmp_path: Path, path: str) -> None:
    files = {"src/m.py" if path else "m.py": "x = 2\n"}
    assert checked(tmp_path, files, {"test_it.py": TEST}, f"{path}{UNITTEST} test_it").score == 1.0


@pytest.mark.parametrize(
    ("module", "score"), [("x = 2\n", 1.0), ("x = 1\n", 0.0), (EXIT, 0.0)], ids=["right", "wrong", "exits"]
)
def test_a_test_file_may_run_itself(tmp_path: Path, module: str, score: float) -> None:
    tests = {"test_it.py": f"{TEST}if __name__ == '__main__':\n    unittest.main()\n"}
    assert checked(tmp_path, {"m.py": module}, tests, "python3 test_it.py").score == score


def test_a_command_without_python_is_judged_by_its_status(tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    assert checked(tmp_path, {}, {"t.sh": "exit 0"}, "sh t.sh").score == 1.0
