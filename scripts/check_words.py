"""Lint for names and docstrings: no class is a gerund, and no docstring begins with a pronoun.

Exits with 1 and a line for each fault. `./run check` runs it; CONTRIBUTING.md says how names and docstrings are made.
"""

import ast
import re
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

PRONOUNS = frozenset({"It", "One", "Those", "What", "Whether", "Who"})
"""First words that leave open what is described."""

NOT_GERUNDS = frozenset(
    {"Billing", "ContentMissing", "KeyRing", "Listing", "NotRunning", "Recording", "SandboxNotRunning", "ToolMissing"}
)
"""Nouns, and errors that are named by the state they tell."""

Fault = tuple[int, str]
_Documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def faults(source: str) -> Iterator[Fault]:
    """Faults of one module, each with its line."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ClassDef) and node.name.endswith("ing") and node.name not in NOT_GERUNDS:
            yield node.lineno, f"class {node.name}: a class is a noun, not a gerund"
        for line, text in _docstrings(node):
            first = re.split(r"\W", text, maxsplit=1)[0]
            if first in PRONOUNS:
                yield line, f'docstring begins with "{first}": begin with a noun or a verb'


def _docstrings(node: ast.AST) -> Iterator[tuple[int, str]]:
    """Docstrings that stand in a node: its own, and those below assignments in it."""
    if isinstance(node, _Documented) and (text := ast.get_docstring(node)):
        yield node.body[0].lineno, text
    if not isinstance(node, _Documented):
        return
    for before, after in pairwise(node.body):
        if isinstance(before, ast.Assign | ast.AnnAssign) and isinstance(after, ast.Expr):
            value = after.value
            if isinstance(value, ast.Constant) and isinstance(value.value, str):
                yield value.lineno, value.value


def main() -> int:
    """Check all modules of the package; print faults, and return the exit status."""
    count = 0
    package = ROOT / "src/loopyard"
    for file in sorted(package.rglob("*.py")):
        for line, message in faults(file.read_text()):
            count += 1
            sys.stdout.write(f"{file.relative_to(ROOT)}:{line}: {message}\n")
    return 1 if count else 0


if __name__ == "__main__":
    sys.exit(main())
