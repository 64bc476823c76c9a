"""Patterns of ignore files."""

import contextlib
import time

import pytest
from e2b_dockerfile_utils import PatternMatcher
from hypothesis import given, settings
from hypothesis import strategies as st

from loopyard.dockerfile.ignore import Matcher, ignore_patterns
from loopyard.dockerfile.patterns import BadPattern


@pytest.mark.parametrize(
    ("pattern", "path", "matched"),
    [
        ("**", "file", True),
        ("**", "dir/file", True),
        ("**/", "file", True),
        ("**/**", "dir/file", True),
        ("dir/**", "dir/file", True),
        ("dir/**", "dir/dir2/file", True),
        ("**/dir", "dir", True),
        ("**/dir2/*", "dir/dir2/file", True),
        ("**/dir2/*", "dir/dir2/dir2/file", True),
        ("**file", "file", True),
        ("**file", "dir/file", True),
        ("**/file", "dir/file", True),
        ("**file", "dir/dir/file", True),
        ("**/file*", "dir/dir/file.txt", True),
        ("**/file*txt", "dir/dir/file.txt", True),
        ("**/file*.txt*", "dir/dir/file.txt", True),
        ("**/**/*.txt", "dir/dir/file.txt", True),
        ("**/**/*.txt2", "dir/dir/file.txt", False),
        ("**/*.txt", "file.txt", True),
        ("**/**/*.txt", "file.txt", True),
        ("a**/*.txt", "a/file.txt", True),
        ("a**/*.txt", "a/dir/file.txt", True),
        ("a/*.txt", "a/dir/file.txt", False),
        ("a/*.txt", "a/file.txt", True),
        ("a[b-d]e", "ae", False),
        ("a[b-d]e", "ace", True),
        ("a[b-d]e", "aae", False),
        ("a[^b-d]e", "aze", True),
        (".*", ".foo", True),
        (".*", "foo", False),
        ("abc.def", "abcdef", False),
        ("abc.def", "abcZdef", False),
        ("abc?def", "abcZdef", True),
        ("abc?def", "abcdef", False),
        (r"a\\", r"a" + "\\", True),
        ("**/foo/bar", "foo/bar", True),
        ("**/foo/bar", "dir/foo/bar", True),
        ("abc/**", "abc", False),
        ("abc/**", "abc/def", True),
        ("**/.foo", ".foo", True),
        ("**/.foo", "bar.foo", False),
        ("./bar.*", "bar.txt", True),
        ("/a", "a", True),
        ("a/", "a/b", True),
        ("a/../b", "b", True),
        ("a", "a/b/c", True),
        ("a(b)", "a(b)", True),
        ("a|b", "a", False),
        ("[[]b]", "[b]", True),
        ("\u00fc*", "\u00fcx", True),
    ],
)
def test_a_pattern(pattern: str, path: str, matched: bool) -> None:
    assert Matcher(ignore_patterns(pattern)).matches(path) is matched


@pytest.mark.parametrize(
    ("text", "kept", "out"),
    [
        ("**\n!./keep.txt\n!**/*.py\n", ["keep.txt", "a/b/deep.py"], ["x", "a/b/c"]),
        ("*\n!a/b\n", ["a/b", "a/b/c"], ["a/c", "d"]),
        ("a\n!a/b\na/b/c\n", ["a/b", "a/b/d"], ["a/b/c", "a/x"]),
        ("*.md\n!README*.md\nREADME-secret.md\n", ["README.md"], ["x.md", "README-secret.md"]),
        ("# a comment\n\n  spaces  \n", ["# a comment"], ["spaces"]),
        ("\ufeffa\r\nb\r\n", ["c"], ["a", "b"]),
        ("! a\n", ["a"], []),
        ("node_modules\n**/__pycache__\n.git\n", ["src/git"], ["node_modules/x/y", "a/__pycache__/z", ".git/HEAD"]),
    ],
)
def test_files(text: str, kept: list[str], out: list[str]) -> None:
    matcher = Matcher(ignore_patterns(text))
    assert [path for path in kept if matcher.matches(path)] == []
    assert [path for path in out if not matcher.matches(path)] == []


@pytest.mark.parametrize("pattern", ["[", "[a", "[]a]", "[a-]", "a\\", "[-x]", "!", "x" * 5_000])
def test_patterns_without_meaning(pattern: str) -> None:
    with pytest.raises(BadPattern):
        Matcher(ignore_patterns(pattern))


SEGMENTS = st.sampled_from(["a", "b", "*", "**", "?", "a*", "*b", "[ab]", "[^a]", "a**", "**b", ".", "ab", "(", "{"])
PATTERNS = st.tuples(st.sampled_from(["", "!", "/"]), st.lists(SEGMENTS, min_size=1, max_size=4)).map(
    lambda made: made[0] + "/".join(made[1])
)
PATHS = st.lists(st.sampled_from(["a", "b", "ab", "aab", "c", "(", "a.b"]), min_size=1, max_size=4).map("/".join)


@settings(max_examples=600, deadline=None)
@given(st.lists(PATTERNS, min_size=1, max_size=4), st.lists(PATHS, min_size=1, max_size=6))
def test_it_matches_as_the_port_of_buildkits_matcher_does(patterns: list[str], paths: list[str]) -> None:
    port, own = PatternMatcher(patterns), Matcher(ignore_patterns("\n".join(patterns)))
    assert [own.matches(path) for path in paths] == [port.matches(path) for path in paths]


@pytest.mark.parametrize(
    "pattern", ["*a" * 400 + "b", "**/" * 300 + "b", "**a" * 300 + "b", "a**" * 300 + "/b", "[a-z]*" * 300 + "!"]
)
def test_hostile_patterns_end_soon(pattern: str) -> None:
    begun = time.process_time()
    with contextlib.suppress(BadPattern):
        assert not Matcher(ignore_patterns(pattern)).matches("/".join(["a" * 200] * 15))
    assert time.process_time() - begun < 5


def test_too_many_patterns_are_refused() -> None:
    with pytest.raises(BadPattern, match="at most"):
        ignore_patterns("a\n" * 20_000)
