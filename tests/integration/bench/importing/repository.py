"""A small repository with a bug, made the same everywhere, and the row that asks to mend it."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

SETUP = r"""
export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@localhost GIT_AUTHOR_DATE="2024-01-01T00:00:00Z"
export GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@localhost GIT_COMMITTER_DATE="2024-01-01T00:00:00Z"
git init --quiet --initial-branch=main --object-format=sha1
mkdir tests
printf 'def mean(values):\n    return sum(values) // len(values)\n' > stats.py
touch tests/__init__.py
cat > tests/test_stats.py <<'END'
import unittest

from stats import mean


class Mean(unittest.TestCase):
    def test_whole(self):
        self.assertEqual(mean([1, 3]), 2)
END
git add --all
git commit --quiet --message base
"""

PATCH = """diff --git a/stats.py b/stats.py
--- a/stats.py
+++ b/stats.py
@@ -1,2 +1,2 @@
 def mean(values):
-    return sum(values) // len(values)
+    return sum(values) / len(values)
"""

TEST_PATCH = """diff --git a/tests/test_stats.py b/tests/test_stats.py
--- a/tests/test_stats.py
+++ b/tests/test_stats.py
@@ -6,3 +6,6 @@
 class Mean(unittest.TestCase):
     def test_whole(self):
         self.assertEqual(mean([1, 3]), 2)
+
+    def test_half(self):
+        self.assertEqual(mean([1, 2]), 1.5)
"""


def base_commit(folder: Path, setup: str = SETUP) -> str:
    """The commit that a setup makes, in an empty folder as in any box."""
    folder.mkdir()
    environment = {**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null"}
    subprocess.run(["bash", "-e", "-c", setup], cwd=folder, check=True, env=environment)
    found = subprocess.run(["git", "rev-parse", "HEAD"], cwd=folder, check=True, capture_output=True, text=True)
    return found.stdout.strip()


def row(commit: str, **changes: Any) -> dict[str, Any]:
    """The row, with tests as pytest names them, lists as JSON text as in the published data."""
    return {
        "instance_id": "example__stats-1",
        "repo": "example/stats",
        "base_commit": commit,
        "patch": PATCH,
        "test_patch": TEST_PATCH,
        "problem_statement": "mean([1, 2]) gives 1, not 1.5.",
        "FAIL_TO_PASS": json.dumps(["tests/test_stats.py::Mean::test_half"]),
        "PASS_TO_PASS": json.dumps(["tests/test_stats.py::Mean::test_whole"]),
        "version": "1.0",
        "hints_text": "",
        **changes,
    }


def write_rows(path: Path, *rows: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(one) + "\n" for one in rows))
    return path
