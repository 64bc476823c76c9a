"""Lint of names and docstrings, on the package as it is and on made-up modules."""

import ast

import pytest

from scripts.check_words import ROOT, faults, main


def test_the_package_has_no_faults(capsys: pytest.CaptureFixture[str]) -> None:
    assert main() == 0, capsys.readouterr().out


@pytest.mark.parametrize(
    ("source", "fault"),
    [
        ("class Making:\n    pass", "class Making"),
        ('"""What is made."""', '"What"'),
        ('class Maker:\n    """One who makes."""', '"One"'),
        ('def make():\n    """Whether it is made."""', '"Whether"'),
        ('async def make():\n    """It makes."""', '"It"'),
        ('def made():\n    """Those that are made."""', '"Those"'),
        ('def maker():\n    """Who makes."""', '"Who"'),
        ('MOST = 3\n"""What is made."""', '"What"'),
        ('class Maker:\n    made: bool\n    """Whether it is made."""', '"Whether"'),
    ],
)
def test_a_fault_is_found(source: str, fault: str) -> None:
    ((_, message),) = faults(source)
    assert fault in message


@pytest.mark.parametrize(
    "source",
    [
        '"""Things made."""',
        'class Maker:\n    """Itself made."""',
        "class KeyRing:\n    pass",
        "def making():\n    pass",
    ],
)
def test_nouns_and_verbs_pass(source: str) -> None:
    assert list(faults(source)) == []


def test_a_read_that_locks_says_so() -> None:
    """Its name ends in `_for_update` or `_for_share`."""
    faults = [
        f"{file.relative_to(ROOT)}: {node.name}"
        for file in (ROOT / "src/loopyard").rglob("*repository.py")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.AsyncFunctionDef)
        and not node.name.endswith(("_for_update", "_for_share"))
        and "with_for_update" in ast.unparse(node)
    ]
    assert not faults
