"""Every outcome of pytest and unittest, and the status that the judge gives it."""

import os
import random
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.integration.test_results.judging import PYTEST, UNITTEST, scored

HEAD = """import pytest, unittest

@pytest.fixture
def breaks():
    raise ValueError

@pytest.fixture
def ends_badly():
    yield
    raise ValueError

@pytest.fixture
def skips():
    pytest.skip("no")

"""
BODIES = {
    "passes": ("def {name}(): pass", "PASSED"),
    "says so": ("def {name}(): print('FAILED t.py::{name}')", "PASSED"),
    "fails": ("def {name}(): assert 0", "FAILED"),
    "says that it passed": ("def {name}():\n    print('PASSED test_x.py::{name}')\n    assert 0", "FAILED"),
    "setup fails": ("def {name}(breaks): pass", "ERROR: in its setup"),
    "passes, teardown fails": ("def {name}(ends_badly): pass", "ERROR: in its teardown"),
    "fails, teardown fails": ("def {name}(ends_badly): assert 0", "FAILED"),
    "skips, teardown fails": ("def {name}(ends_badly): pytest.skip('x')", "ERROR: in its teardown"),
    "skipped in setup": ("def {name}(skips): pass", "SKIPPED"),
    "skipped in call": ("def {name}(): pytest.skip('x')", "SKIPPED"),
    "skipped by mark": ("@pytest.mark.skip\ndef {name}(): pass", "SKIPPED"),
    "xfails": ("@pytest.mark.xfail\ndef {name}(): assert 0", "XFAIL"),
    "xfails strictly": ("@pytest.mark.xfail(strict=True)\ndef {name}(): assert 0", "XFAIL"),
    "xfails at once": ("def {name}(): pytest.xfail('x')", "XFAIL"),
    "xfails unrun": ("@pytest.mark.xfail(run=False)\ndef {name}(): assert 0", "XFAIL"),
    "xfails by another error": ("@pytest.mark.xfail(raises=KeyError)\ndef {name}(): assert 0", "FAILED"),
    "xpasses": ("@pytest.mark.xfail\ndef {name}(): pass", "XPASS"),
    "xpasses strictly": ("@pytest.mark.xfail(strict=True)\ndef {name}(): pass", "FAILED"),
    "subtest passes": ("def {name}(subtests):\n    with subtests.test('s'): pass", "PASSED"),
    "subtest fails": ("def {name}(subtests):\n    with subtests.test('s'): assert 0", "FAILED"),
}
PASSING = {"PASSED", "XFAIL"}

CASES = {
    "passes": ("def {name}(self): pass", "PASSED"),
    "fails": ("def {name}(self): self.fail()", "FAILED"),
    "raises": ("def {name}(self): raise ValueError", "ERROR"),
    "teardown fails": ("def {name}(self): self.addCleanup(self.fail)", "FAILED"),
    "skips": ("def {name}(self): self.skipTest('x')", "SKIPPED"),
    "skips, teardown fails": ("def {name}(self): self.addCleanup(self.fail); self.skipTest('x')", "FAILED"),
    "xfails": ("@unittest.expectedFailure\n    def {name}(self): self.fail()", "XFAIL"),
    "xpasses": ("@unittest.expectedFailure\n    def {name}(self): pass", "XPASS"),
    "subtest passes": ("def {name}(self):\n        with self.subTest(i=1): pass", "PASSED"),
    "subtest fails": ("def {name}(self):\n        with self.subTest(i=1): self.fail()", "FAILED"),
    "said": ('def {name}(self):\n        """Says it."""\n        import sys; sys.stderr.write("x")', "PASSED"),
}  # fmt: skip

_VERSIONS = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv", "versions")
PYTHONS = [Path(sys.executable), *sorted(_VERSIONS.glob("3.*/bin/python"))]


def pytest_file(kinds: list[str]) -> tuple[str, dict[str, str]]:
    """A test file with a test of each kind, and the status of each by its id."""
    names = [f"test_{number}" for number in range(len(kinds))]
    text = HEAD + "\n\n".join(BODIES[kind][0].format(name=name) for kind, name in zip(kinds, names, strict=True))
    return text, {f"test_x.py::{name}": BODIES[kind][1] for kind, name in zip(kinds, names, strict=True)}


def unittest_file(kinds: list[str]) -> tuple[str, dict[str, str]]:
    names = [f"test_{number}" for number in range(len(kinds))]
    body = "\n    ".join(CASES[kind][0].format(name=name) for kind, name in zip(kinds, names, strict=True))
    text = f"import unittest\n\nclass C(unittest.TestCase):\n    {body}\n"
    return text, {f"{name} (test_x.C)": CASES[kind][1] for kind, name in zip(kinds, names, strict=True)}


def wrong(statuses: dict[str, str]) -> dict[str, str]:
    return {name: status for name, status in statuses.items() if status not in PASSING}


@pytest.mark.parametrize(
    ("options", "environment"),
    [
        pytest.param("", {}, id="plain"),
        pytest.param("--color=yes -n 2", {"COLUMNS": "20", "FORCE_COLOR": "1"}, id="colour, width, two processes"),
        pytest.param("-q -q --tb=no", {"LC_ALL": "C", "PYTHONIOENCODING": "ascii"}, id="quiet, another locale"),
        pytest.param("-p no:terminal", {}, id="no terminal"),
        pytest.param("-p no:cacheprovider -rN --no-header --no-summary", {}, id="no summary"),
    ],
)
def test_every_outcome_of_pytest(tmp_path: Path, options: str, environment: dict[str, str]) -> None:
    text, expected = pytest_file(list(BODIES))
    files = {"test_x.py": text, "pytest.ini": f"[pytest]\naddopts = {options}\n"}
    judged = scored(tmp_path, files, list(expected), f"{PYTEST} test_x.py", environment=environment)
    assert judged.reasons == wrong(expected)
    assert judged.score == 0.0


@pytest.mark.parametrize("python", PYTHONS, ids=lambda path: path.parts[-3])
def test_every_outcome_of_unittest(tmp_path: Path, python: Path) -> None:
    text, expected = unittest_file(list(CASES))
    command = f"{python} -m unittest test_x"
    judged = scored(tmp_path, {"test_x.py": text}, list(expected), command, python=str(python))
    assert judged.reasons == wrong(expected)


@pytest.mark.parametrize("name", ["test_10 (test_x.C)", "test_10 (test_x.C.test_10)", "Says it."])
def test_a_test_of_unittest_is_found_by_each_of_its_names(tmp_path: Path, name: str) -> None:
    text, _ = unittest_file(list(CASES))
    assert scored(tmp_path, {"test_x.py": text}, [name], f"{UNITTEST} test_x").score == 1.0


INNER = "import unittest\nclass I(unittest.TestCase):\n    def test_i(self): self.fail()\n"
OUTER = """import io, subprocess, sys, unittest
import inner
class C(unittest.TestCase):
    def test_c(self):
        suite = unittest.defaultTestLoader.loadTestsFromModule(inner)
        assert not unittest.TextTestRunner(io.StringIO()).run(suite).wasSuccessful()
        assert subprocess.call([sys.executable, "-m", "unittest", "-q", "inner"]) != 0
        assert not [path for path in sys.path if "secret" in path]
"""
RUNNER = """import unittest
suite = unittest.defaultTestLoader.loadTestsFromName("test_x")
unittest.TextTestRunner(verbosity=2).run(suite)
"""


@pytest.mark.parametrize(
    ("command", "name"),
    [
        (f"{UNITTEST} test_x", "test_c (test_x.C)"),
        ("python3 run.py", "test_c (test_x.C)"),
        (f"{PYTEST} test_x.py", "test_x.py::C::test_c"),
    ],
    ids=["unittest", "a script", "pytest"],
)
def test_tests_that_run_tests_tell_only_their_own_results(tmp_path: Path, command: str, name: str) -> None:
    files = {"test_x.py": OUTER, "inner.py": INNER, "run.py": RUNNER}
    judged = scored(tmp_path, files, [name], command)
    assert judged.score == 1.0, judged


def test_parameters_in_any_writing_and_cut_at_a_blank(tmp_path: Path) -> None:
    text = (
        "import pytest\n@pytest.mark.parametrize('u', ['a b', 'c d', 'c e', 'é漢', 'x - y', 'n\\n', '[', '100%'])\n"
        "def test_p(u): pass\n"
    )
    names = ["a b", "a", "é漢", "\\xe9\\u6f22", "x - y", "n\\n", "[", "100%"]
    wanted = [f"test_x.py::test_p[{name}" + ("" if name == "a" else "]") for name in names]
    judged = scored(tmp_path, {"test_x.py": text}, [*wanted, "test_x.py::test_p[c"], f"{PYTEST} test_x.py")
    assert list(judged.reasons) == ["test_x.py::test_p[c"]
    assert "ambiguous: the names of 2 tests begin so" in "\n".join(judged.lines)


@given(st.lists(st.sampled_from(sorted(BODIES)), min_size=1, max_size=40), st.randoms(use_true_random=False))
@settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_mix_of_outcomes_is_graded_as_the_rule_says(
    tmp_path_factory: pytest.TempPathFactory, kinds: list[str], order: random.Random
) -> None:
    """Of the published rule: a test passed if its last status in pytest's summary is PASSED or XFAIL."""
    text, expected = pytest_file(kinds)
    wanted = list(expected)
    order.shuffle(wanted)
    judged = scored(tmp_path_factory.mktemp("mix"), {"test_x.py": text}, wanted, f"{PYTEST} test_x.py")
    assert judged.reasons == wrong(expected)
    assert judged.score == (0.0 if wrong(expected) else 1.0)
