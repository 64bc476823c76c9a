"""Patches below the top of a work tree, by Git itself."""

import subprocess
from pathlib import Path

import pytest

from loopyard.kit.host.patching import APPLY_PATCH

_CHANGE = "--- a/{0}\n+++ b/{0}\n@@ -1 +1 @@\n-x = 1\n+x = 2\n"
_NEW = "diff --git a/{0} b/{0}\nnew file mode 100644\n--- /dev/null\n+++ b/{0}\n@@ -0,0 +1 @@\n+x = 2\n"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A work tree with a file at its top and one in `pkg`."""
    (tmp_path / "pkg").mkdir()
    for name in ("top.py", "pkg/app.py"):
        (tmp_path / name).write_text("x = 1\n")
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    return tmp_path


def apply(folder: Path, patch: str) -> tuple[int, str]:
    """The status of `apply_patch` in a folder, and what it said."""
    file = folder / ".patch"
    file.write_bytes(patch.encode())
    command = f"{APPLY_PATCH}\napply_patch {file}"
    ended = subprocess.run(["bash", "-c", command], cwd=folder, capture_output=True, text=True, check=False)
    return ended.returncode, ended.stdout + ended.stderr


@pytest.mark.parametrize(
    ("patch", "changed"),
    [
        (_CHANGE.format("app.py"), "pkg/app.py"),
        (_CHANGE.format("pkg/app.py"), "pkg/app.py"),
        (_CHANGE.format("top.py"), "top.py"),
        (_NEW.format("new.py"), "pkg/new.py"),
        (_NEW.format("pkg/new.py"), "pkg/new.py"),
    ],
)
def test_a_patch_is_applied_below_the_top(tree: Path, patch: str, changed: str) -> None:
    status, said = apply(tree / "pkg", patch)
    assert status == 0, said
    assert (tree / changed).read_text() == "x = 2\n"


def test_a_patch_of_both_is_applied_whole(tree: Path) -> None:
    status, said = apply(tree / "pkg", _CHANGE.format("top.py") + _CHANGE.format("pkg/app.py"))
    assert status == 0, said
    assert [(tree / name).read_text() for name in ("top.py", "pkg/app.py")] == ["x = 2\n"] * 2


@pytest.mark.parametrize("patch", [_CHANGE.format("gone.py"), "nothing\n", ""])
def test_a_patch_that_changes_nothing_says_so(tree: Path, patch: str) -> None:
    status, said = apply(tree / "pkg", patch)
    assert status == 1
    assert "error: " in said


def test_a_folder_that_is_no_work_tree_is_patched_too(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_bytes(b"a\r\nx = 1\r\n")
    patch = "--- a/app.py\n+++ b/app.py\n@@ -1,2 +1,2 @@\n a\r\n-x = 1\r\n+x = 2\r\n"
    assert apply(tmp_path, patch)[0] == 0
    assert (tmp_path / "app.py").read_bytes() == b"a\r\nx = 2\r\n"
