"""The Bash script that scores a SWE-bench task."""

import json
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from loopyard.bench.importing.embedded import place
from loopyard.bench.importing.swebench.patch import read
from loopyard.bench.importing.swebench.row import Row, labels, modules
from loopyard.test_results.command import reports
from loopyard.test_results.files import ARCHIVE, archive

KEPT = "/opt/loopyard-import/pytest.tar"
"""Where the environment keeps the files that steer pytest as they were before the agent's turn. `/opt` is put back
before anything is scored."""

_STEERING = "\\( " + " -o ".join(f"-name {name}" for name in (
    "conftest.py", "pytest.ini", ".pytest.ini", "pytest.toml", ".pytest.toml",
)) + " \\)"  # fmt: skip
_FIND = f"find . \\( -name .git -o -name site-packages -o -name node_modules \\) -prune -o {_STEERING}"

KEEP = f"mkdir -p {KEPT.rpartition('/')[0]} && {_FIND} -type f -print0 | tar --null --files-from=- -cf {KEPT}"
"""The command that keeps them, in the repository's folder."""

_ACTIVATE = """if [ -f /opt/miniconda3/bin/activate ]; then
    . /opt/miniconda3/bin/activate && conda activate testbed
fi
"""
"""The published images of SWE-bench have the task's Python in this environment."""

_GIT = """if [ -f ~/.gitconfig ]; then cp ~/.gitconfig "$work/gitconfig" || exit 1; fi
export GIT_CONFIG_GLOBAL="$work/gitconfig"
"""
"""The one in the home cannot be written to while work is scored."""

_PYTHON = """for name in python3 python; do
    if "$name" -I -c 'import sys; sys.exit(sys.version_info < (3, 6))' 2>/dev/null; then judge=$name; break; fi
done
if [ -z "$judge" ]; then echo "tests are run by a program that needs Python 3.6 or newer in the box" >&2; exit 1; fi
"""

_OWN = '"$(command -v python || command -v python3)" -m {} {{tests}}'


@dataclass(frozen=True, slots=True)
class TestSetup:
    """How tests are run and where their results are read.

    `command` has `{tests}` where the tests go; None is pytest's or unittest's own. `results` is a format that
    `loopyard.test_results` reads, with `:` and a path where the command writes a file; it is only asked for where no
    results are reported.
    """

    __test__ = False
    command: str | None = None
    results: str = "lines"

    @property
    def format(self) -> str:
        return self.results.partition(":")[0]

    @property
    def file(self) -> str | None:
        return self.results.partition(":")[2] or None


def scorer(row: Row, directory: str, testing: TestSetup) -> str:
    """Applies the test patch, runs the tests, and gives 1.0 if all of FAIL_TO_PASS and PASS_TO_PASS pass, else 0.0.

    The files of the test patch are first taken back to the base commit, and the files that steer pytest to what they
    were before the agent's turn, but for those that the row's own patch changes. Results come from a reporter that
    pytest and unittest load before anything of the repository (`docs/trusted-scores.md`).

    Args:
        row: The task.
        directory: Where the repository is in the box.
        testing: How the tests are run; `{tests}` in the command stands for files for pytest, labels for unittest.
    """
    tests = _tests(row)
    command = testing.command or _OWN.format("pytest" if row.with_pytest else "unittest --verbose")
    filled = command.replace("{tests}", " ".join(map(shlex.quote, tests)))
    changed = read(row.test_patch)
    sources = [path for path in changed.files if path.endswith(".py")]
    sources += [path for path in tests if row.with_pytest and path.endswith(".py")]
    sources += [f"{name.replace('.', '/')}.py" for name in modules([*row.FAIL_TO_PASS, *row.PASS_TO_PASS])]
    plan = {
        "judge": "score",
        "directory": directory,
        "text": filled,
        "fail-to-pass": row.FAIL_TO_PASS,
        "pass-to-pass": row.PASS_TO_PASS,
        "sources": list(dict.fromkeys(sources)),
        "reported": testing.results == "lines" and reports(filled, {}),
        "results": testing.format,
        "results-file": testing.file,
    }
    given = [
        place(changed.text.encode("utf-8", "surrogatepass"), '"$work/test.patch"'),
        place(_lines(changed.files, b"\0"), '"$work/test-files"'),
        place(_lines(read(row.patch).files, b"\n"), '"$work/own-files"'),
        place(json.dumps(plan).encode(), '"$work/plan.json"'),
        place(archive(), f'"$work/{ARCHIVE}"'),
    ]
    return f"""#!/bin/bash
# Made by `loopyard scenario import --swebench`.
cd {shlex.quote(directory)} || exit 1
work=$(mktemp -d) || exit 1
{_ACTIVATE}{_GIT}git config --global --add safe.directory {shlex.quote(directory)}
{"".join(given)}
{_restored(row)}git apply --verbose "$work/test.patch" || exit 1
{_PYTHON}exec "$judge" -I "$work/{ARCHIVE}" "$work/plan.json"
"""


def _tests(row: Row) -> list[str]:
    """The files that pytest, or the labels that unittest is to run."""
    wanted = [*row.FAIL_TO_PASS, *row.PASS_TO_PASS]
    if row.with_pytest:
        return list(dict.fromkeys(test.partition("::")[0] for test in wanted))
    named = labels(wanted)
    if len(named) == len(wanted):
        return list(dict.fromkeys(named))
    # Some are known by their docstrings only: all tests of the files that the test patch brings are run.
    files = [path for path in read(row.test_patch).files if path.endswith(".py")]
    brought = [re.sub(r"(/__init__)?\.py$", "", path).replace("/", ".") for path in files]
    return [*brought, *(label for label in dict.fromkeys(named) if not label.startswith(tuple(brought)))]


def _restored(row: Row) -> str:
    return f"""if [ -f {KEPT} ]; then
    {_FIND} -print0 | sed -z 's|^\\./||' | grep -zFxv -f "$work/own-files" | xargs -0r rm -rf --
    sed 's|^|./|' "$work/own-files" > "$work/own-paths"
    tar --extract --file={KEPT} --anchored --no-wildcards --exclude-from="$work/own-paths" || exit 1
fi
find . -name .git -prune -o -name '*.pyc' -path '*/__pycache__/*' -print0 | xargs -0r rm -f --
while IFS= read -r -d '' file; do
    rm -rf -- "$file"
    git checkout --quiet {row.base_commit} -- ":(literal)$file" 2>/dev/null
done < "$work/test-files"
"""


def _lines(paths: Sequence[str], end: bytes) -> bytes:
    return b"".join(path.encode("utf-8", "surrogateescape") + end for path in paths)
