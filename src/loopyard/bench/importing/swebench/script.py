"""The Bash script that scores a SWE-bench task."""

import re
import shlex

from loopyard.bench.importing.embedded import place
from loopyard.bench.importing.swebench.row import Row, labels

_FILES = re.compile(r"^(?:---|\+\+\+) (?:[ab]/)?(.+?)\s*$", re.MULTILINE)
_DIFF = re.compile(r"^diff --git a/(.+) b/(.+)$", re.MULTILINE)

_ACTIVATE = """if [ -f /opt/miniconda3/bin/activate ]; then
    . /opt/miniconda3/bin/activate && conda activate testbed
fi
"""
"""The published images of SWE-bench have the task's Python in this environment."""

_GIT = """if [ -f ~/.gitconfig ]; then cp ~/.gitconfig "$work/gitconfig" || exit 1; fi
export GIT_CONFIG_GLOBAL="$work/gitconfig"
"""
"""The one in the home cannot be written to while work is scored."""

_PASSED_BY_PYTEST = r"""awk '
/^PASSED / { print substr($0, 8) }
/^XFAIL / { sub(/^XFAIL /, ""); sub(/ - .*$/, ""); print }
' "$work/output" """

_PASSED_BY_UNITTEST = r"""awk '
/ \.\.\. (ok|expected failure)$/ { sub(/ \.\.\. [a-z ]+$/, ""); print }
' "$work/output" | sed -E 's/^(\w+) \(([A-Za-z0-9_.]+)\.\1\)$/\1 (\2)/' """

_VERDICT = r"""score=1.0
for list in fail-to-pass pass-to-pass; do
    # grep takes whole lines as they are; it finds none where none passed.
    missing=$(grep -Fxv -f "$work/passed" "$work/$list")
    if [ -n "$missing" ]; then
        score=0.0
        echo "of $list did not pass:"
        echo "$missing" | sed 's/^/  /'
    fi
done
echo "score=$score"
"""


def scorer(row: Row, directory: str, test_command: str | None) -> str:
    """Applies the test patch, runs the tests, and gives 1.0 if all of FAIL_TO_PASS and PASS_TO_PASS pass, else 0.0.

    The files of the test patch are first taken back to the base commit: what an agent made of them does not count. As
    in SWE-bench, expected failures (XFAIL) pass.

    Args:
        row: The task.
        directory: Where the repository is in the box.
        test_command: The command that runs the tests; `{tests}` in it stands for them: files for pytest, labels for
            unittest. By default pytest's or unittest's own.
    """
    wanted = [*row.FAIL_TO_PASS, *row.PASS_TO_PASS]
    if row.with_pytest:
        tests = list(dict.fromkeys(test.partition("::")[0] for test in wanted))
        command = test_command or "python -m pytest -rA --tb=no -p no:cacheprovider {tests}"
        passed, expected = _PASSED_BY_PYTEST, wanted
    else:
        tests = labels(wanted)
        command = test_command or "python -m unittest --verbose {tests}"
        passed, expected = _PASSED_BY_UNITTEST, [_without_method(test) for test in wanted]
    filled = command.replace("{tests}", " ".join(map(shlex.quote, tests)))
    count = len(row.FAIL_TO_PASS)
    given = [
        place(_patch(row.test_patch), '"$work/test.patch"'),
        place(_lines(expected[:count]), '"$work/fail-to-pass"'),
        place(_lines(expected[count:]), '"$work/pass-to-pass"'),
    ]
    return f"""#!/bin/bash
# Made by `loopyard scenario import --swebench`.
cd {shlex.quote(directory)} || exit 1
work=$(mktemp -d) || exit 1
{_ACTIVATE}{_GIT}git config --global --add safe.directory {shlex.quote(directory)}
{"".join(given)}
{_restored(row)}git apply --verbose "$work/test.patch" || exit 1
{filled} > "$work/output" 2>&1 < /dev/null
tail -c 100000 "$work/output" | sed 's/^/| /'
{passed}> "$work/passed"
{_VERDICT}"""


def patched_files(patch: str) -> list[str]:
    """The files that a patch changes, makes or removes."""
    pairs = [name for found in _DIFF.finditer(patch) for name in found.groups()]
    names = pairs or [found[1].partition("\t")[0] for found in _FILES.finditer(patch)]
    return list(dict.fromkeys(name for name in names if name != "/dev/null"))


def _restored(row: Row) -> str:
    files = " ".join(map(shlex.quote, patched_files(row.test_patch)))
    return f"""for file in {files}; do
    rm -rf -- "$file"
    git checkout --quiet {row.base_commit} -- "$file" 2>/dev/null
done
"""


def _without_method(test: str) -> str:
    """Python 3.11 says `test_b (a.C.test_b)` where older ones say `test_b (a.C)`: all as the older ones."""
    return re.sub(r"^(\w+) \(([\w.]+)\.\1\)$", r"\1 (\2)", test)


def _patch(text: str) -> bytes:
    # git takes a patch only with the end of its last line.
    return (text.rstrip("\n") + "\n").encode()


def _lines(tests: list[str]) -> bytes:
    return "".join(f"{test}\n" for test in tests).encode()
