"""Tests that a command runs, as far as its text tells."""

import re
from collections.abc import Mapping

_END = r"(?=$|[\s;&|)'\"`])"
_PYTEST = re.compile(rf"(?:^|[\s;&|(='\"`/])(?:pytest|py\.test){_END}|\s-m\s*pytest{_END}", re.MULTILINE)
_UNITTEST = re.compile(rf"\s-m\s*unittest{_END}")
_MAIN = re.compile(r"\b(?:unittest|pytest)\.main\(")
_APART = re.compile(r"\bpython[\d.]*\s+(?:-\w+\s+)*-\w*[IES]")


def reports(command: str, files: Mapping[str, str]) -> bool:
    """True if the command says that it runs pytest or unittest, so that results of them must be reported: by their
    names, or by that of a file of the scorer's own that runs them. `files` are texts by paths.

    A Python that is told to leave its variables alone (`-I`) cannot report, and is the author's to answer for.
    """
    if runs_pytest(command) or _UNITTEST.search(command):
        return True
    return not _APART.search(command) and any(
        path in command and _MAIN.search(text) for path, text in files.items() if path.endswith(".py")
    )


def runs_pytest(command: str) -> bool:
    """True if the command says that it runs pytest."""
    return bool(_PYTEST.search(command))
