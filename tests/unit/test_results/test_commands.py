"""What a command's text says about the tests that it runs."""

import pytest

from loopyard.test_results.command import reports
from loopyard.test_results.inside.environment import keeping_reporter

MAIN = {"test_a.py": "import unittest\nunittest.main()\n"}


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("pytest", True),
        ("cd x && pytest -q tests", True),
        ("/opt/env/bin/pytest a", True),
        ("uv run pytest", True),
        ("python3 -m pytest", True),
        ("python -m unittest discover", True),
        ("coverage run -m unittest", True),
        ("cat pytest.log", False),
        ("cat report.txt || true; : tests/test_pytest.py", False),
        ("make test", False),
        ("python3 test_a.py", True),
        ("python3 -I test_a.py", False),
        ("python3 -B -I test_a.py", False),
        ("sh t.sh", False),
    ],
)
def test_a_command_says_whether_it_runs_pytest_or_unittest(command: str, said: bool) -> None:
    assert reports(command, MAIN) is said


@pytest.mark.parametrize(
    ("command", "kept"),
    [
        ("PYTHONPATH=src pytest", "PYTHONPATH=/z:src pytest"),
        ("export PYTHONPATH='a b'", "export PYTHONPATH=/z:'a b'"),
        ("env PYTHONPATH= x", "env PYTHONPATH=/z: x"),
        ("MY_PYTHONPATH=a", "MY_PYTHONPATH=a"),
        ('[ "$PYTHONPATH" == a ]', '[ "$PYTHONPATH" == a ]'),
    ],
)
def test_the_reporter_stays_on_the_path(command: str, kept: str) -> None:
    assert keeping_reporter(command, "/z") == kept
