"""Patches as they are published: quoted names, lost white space, binary files without their data."""

import pytest

from loopyard.bench.importing.swebench.patch import read, unquoted

QUOTED = '"a/t\\303\\251st.py" "b/t\\303\\251st.py"'
_FILE = "diff --git a/m.py b/m.py\n--- a/m.py\n+++ b/m.py\n"


@pytest.mark.parametrize(
    ("patch", "files"),
    [
        ("--- a/x y.py\t2024\n+++ b/x y.py\n@@ -1 +1 @@\n-a\n+b\n--- /dev/null\n+++ b/new.py\n", ["x y.py", "new.py"]),
        ("diff --git a/old.py b/new.py\nrename from old.py\nrename to new.py\n", ["old.py", "new.py"]),
        ("diff --git a/a b/c.txt b/a b/c.txt\nold mode 100644\nnew mode 100755\n", ["a b/c.txt"]),
        (f"diff --git {QUOTED}\n--- {QUOTED.split()[0]}\n+++ {QUOTED.split()[1]}\n", ["tést.py"]),
        ('diff --git "a/tab\\there.py" "b/tab\\there.py"\nold mode 100644\n', ["tab\there.py"]),
        (f"{_FILE}@@ -1,2 +1,2 @@\n--- a/inside\n+++ b/inside\n same\n", ["m.py"]),
    ],
)  # fmt: skip
def test_files_are_found_in_every_form_of_their_names(patch: str, files: list[str]) -> None:
    assert list(read(patch).files) == files


@pytest.mark.parametrize(
    ("given", "whole"),
    [
        ("@@ -1,3 +1,3 @@\n-x\n+y\n z\n\n", "@@ -1,3 +1,3 @@\n-x\n+y\n z\n\n"),
        ("@@ -1,3 +1,3 @@\n-x\n+y\n z", "@@ -1,3 +1,3 @@\n-x\n+y\n z\n \n"),
        ("@@ -1,3 +1,3 @@\n-x\n+y\n z\n \n", "@@ -1,3 +1,3 @@\n-x\n+y\n z\n \n"),
        ("@@ -1 +1 @@\n-x\r\n+y\r", "@@ -1 +1 @@\n-x\r\n+y\r\n"),
        ("@@ -1 +1 @@\n-x\n+y\n\\ No newline at end of file", "@@ -1 +1 @@\n-x\n+y\n\\ No newline at end of file\n"),
    ],
)
def test_only_lost_white_space_is_completed(given: str, whole: str) -> None:
    assert read(_FILE + given).text == _FILE + whole


def test_binary_files_without_data_are_named() -> None:
    head = "diff --git a/x.png b/x.png\nnew file mode 100644\nindex 0000000..1234567\n"
    assert read(head + "Binary files /dev/null and b/x.png differ\n").without_data == ["x.png"]
    assert read(head + "GIT binary patch\nliteral 3\nKcmZQzWMXCl00031\n\nliteral 0\nHcmV?d00001\n\n").without_data == []


@pytest.mark.parametrize("name", ["a.py", '"a b"', '"\\\\ \\" \\n"', '"\\346\\274\\242"'])
def test_names_are_unquoted_byte_by_byte(name: str) -> None:
    expected = {"a.py": "a.py", '"a b"': "a b", '"\\\\ \\" \\n"': '\\ " \n', '"\\346\\274\\242"': "漢"}
    assert unquoted(name) == expected[name]
