"""Patches, as `git apply` takes them: here they are applied by the plainest means."""

import random
import re
from collections.abc import Sequence

import pytest

from loopyard.runtime.patches.lines import Effort, differences
from loopyard.runtime.patches.writer import PatchWriter, Version


def _lines(text: bytes) -> list[bytes]:
    return text.splitlines(keepends=True)


def _replaced(old: Sequence[bytes], new: Sequence[bytes], steps: int) -> list[bytes]:
    """The old text with all that differs taken from the new one."""
    made: list[bytes] = []
    at = 0
    for one in differences(old, new, Effort(steps)):
        assert one.old_start >= at
        made += [*old[at : one.old_start], *new[one.new_start : one.new_end]]
        at = one.old_end
    return [*made, *old[at:]]


@pytest.mark.parametrize("steps", [0, 20, 100_000])
def test_what_differs_makes_one_text_of_the_other(steps: int) -> None:
    chance = random.Random(7)  # noqa: S311 - texts for a test
    for _ in range(300):
        old = [b"%d\n" % chance.randrange(4) for _ in range(chance.randrange(20))]
        new = [b"%d\n" % chance.randrange(4) for _ in range(chance.randrange(20))]
        assert _replaced(old, new, steps) == new


def test_only_what_differs_is_told() -> None:
    old = [b"%d\n" % number for number in range(1000)]
    new = [*old[:10], b"new\n", *old[10:500], *old[501:900], b"other\n", *old[901:]]
    found = differences(old, new, Effort(100_000))
    assert [(one.old_end - one.old_start, one.new_end - one.new_start) for one in found] == [(0, 1), (1, 0), (1, 1)]


def _applied(old: bytes, patch: bytes) -> bytes:
    """The text that a patch for one file makes, by the line numbers of its hunks."""
    before, at = _lines(old), 0
    made: list[bytes] = []
    for hunk in re.split(rb"^(?=@@ )", patch, flags=re.MULTILINE)[1:]:
        head, *lines = hunk.splitlines(keepends=True)
        ranges = re.match(rb"@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@", head)
        assert ranges is not None
        start, count = int(ranges[1]), int(ranges[2] or 1)
        start = start if count == 0 else start - 1
        made += before[at:start]
        at = start + count
        taken: list[bytes] = []
        for line in lines:
            if line.startswith(b"\\"):
                taken[-1] = taken[-1][:-1]
            else:
                taken.append(line)
        assert [line[1:] for line in taken if line[:1] in b" -"] == before[start:at]
        made += [line[1:] for line in taken if line[:1] in b" +"]
    return b"".join([*made, *before[at:]])


def _version(data: bytes, mode: int = 0o100644) -> Version:
    return Version(mode, data, len(data))


def _patch(old: bytes | None, new: bytes | None, path: bytes = b"f") -> bytes:
    writer = PatchWriter()
    writer.add(path, None if old is None else _version(old), None if new is None else _version(new))
    return writer.patch().data


def test_a_patch_makes_the_new_text() -> None:
    chance = random.Random(3)  # noqa: S311 - texts for a test
    for _ in range(200):
        old = b"".join(b"%d\n" % chance.randrange(9) for _ in range(chance.randrange(80)))
        new = b"".join(line for line in _lines(old) if chance.random() < 0.9) + chance.choice([b"", b"end", b"end\n"])
        old = old[: -chance.randrange(2) or None]
        if old != new:
            assert _applied(old, _patch(old, new)) == new


def test_files_that_come_go_and_change_their_mode() -> None:
    assert _patch(None, b"a\n") == (
        b"diff --git a/f b/f\nnew file mode 100644\n--- /dev/null\n+++ b/f\n@@ -0,0 +1 @@\n+a\n"
    )
    assert _patch(b"a", None) == (
        b"diff --git a/f b/f\ndeleted file mode 100644\n--- a/f\n+++ /dev/null\n@@ -1 +0,0 @@\n-a\n"
        b"\\ No newline at end of file\n"
    )
    assert _patch(None, b"") == b"diff --git a/f b/f\nnew file mode 100644\n"
    assert _patch(b"a", b"a") == b""
    writer = PatchWriter()
    writer.add(b"f", _version(b"a"), _version(b"a", 0o100755))
    writer.add(b"l", _version(b"a\n"), _version(b"target", 0o120000))
    assert writer.patch().data == (
        b"diff --git a/f b/f\nold mode 100644\nnew mode 100755\n"
        b"diff --git a/l b/l\ndeleted file mode 100644\n--- a/l\n+++ /dev/null\n@@ -1 +0,0 @@\n-a\n"
        b"diff --git a/l b/l\nnew file mode 120000\n--- /dev/null\n+++ b/l\n@@ -0,0 +1 @@\n+target\n"
        b"\\ No newline at end of file\n"
    )


def test_hostile_names_stay_on_their_line() -> None:
    assert _patch(None, b"", b'a\n"\\\xff b') == (
        b'diff --git "a/a\\n\\"\\\\\\377 b" "b/a\\n\\"\\\\\\377 b"\nnew file mode 100644\n'
    )


def test_bytes_and_large_files_are_told_to_differ() -> None:
    assert b"Binary files a/f and b/f differ\n" in _patch(b"\0a", b"\0b")
    large = PatchWriter()
    large.add(b"f", Version(0o100644, None, 5), Version(0o100644, None, 7))
    assert b"Files a/f and b/f differ (too large to be shown: 5 to 7 bytes)\n" in large.patch().data
    much = PatchWriter(most_bytes_of_file=100)
    much.add(b"f", None, _version(b"x\n" * 100))
    told = much.patch()
    assert b"differ (too much to be shown: 200 bytes)\n" in told.data
    assert (told.files, told.left_out, told.added) == (1, 0, 0)


def test_a_patch_has_no_more_bytes_than_it_may() -> None:
    writer = PatchWriter(most_bytes=200)
    for number in range(10):
        writer.add(b"%d" % number, None, _version(b"x\n"))
    told = writer.patch()
    assert len(told.data) <= 200
    assert told.files == 10
    assert told.left_out == 10 - told.data.count(b"diff --git")
    assert told.added == told.data.count(b"+x\n")
